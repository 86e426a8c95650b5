"""The programs where the environment is not what they would wish: its variables, its standard streams, its devices."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.programs import one_device, run_programs
from tests.helpers.tiny_set import FLAGS, data_flags, write_set

NAMES = ("Zelle é", "猫")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set") / "cells", NAMES)


def shell(line, *words, **environment):
    """Runs a line of bash in which "$@" stands for a program and its arguments; returns status, stdout and stderr."""
    command = ["bash", "-c", f"set -o pipefail; {line}", "bash", sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=600, env=one_device(**environment))
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode()


def trained(workdir):
    """Whether a run went to its end: a checkpoint, numbers and a report."""
    metrics = json.loads((workdir / "eval/val/metrics.json").read_text())
    plot = workdir / "eval/val/precision_recall.png"
    return (workdir / "checkpoints/2").is_dir() and metrics["step"] == 2 and plot.is_file()


ENDINGS = {
    "a notebook's MPLBACKEND and an output that knows only ASCII": (
        '"$@"',
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONIOENCODING": "ascii"},
        "",
    ),
    "stdout closed": ('"$@" >&-', {}, ""),
    "all streams closed": ('"$@" <&- >&- 2>&-', {}, ""),
    "a window's MPLBACKEND and a pipe that breaks": (
        '"$@" | head -n 1',
        {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
        "train.py: stdout: Broken pipe; continuing without it\n",
    ),
    "both streams in a pipe that breaks": ('"$@" 2>&1 | head -n 1', {}, ""),
}


@pytest.mark.slow  # tests/runtime/test_streams.py has the streams
@pytest.mark.parametrize("case", ENDINGS)
def test_a_training_goes_to_its_end(case, data, tmp_path):
    line, environment, expected = ENDINGS[case]
    words = REPOSITORY / "train.py", "--workdir", tmp_path / "run", *FLAGS, *data_flags(data)
    status, out, err = shell(line, *words, **environment)
    assert (status, err) == (0, expected) and trained(tmp_path / "run")
    if "ASCII" in case:
        assert "Zelle \\xe9" in out and "\\u732b" in out and "report: " in out
    if "pipe" in case:
        assert out.count("\n") == 1


PROGRAMS = {
    "train": ("train", "--workdir", "absent"),
    "eval": ("eval", "--workdir", "absent"),
    "detect": ("detect", "--workdir", "absent", "picture.png"),
    "export": ("export", "absent", "--to", "onnx", "--out", "model.onnx"),
    "import": ("import", "absent.weights", "--cfg", "absent.cfg", "--workdir", "new"),
}


def all_refused(*programs, **environment):
    """By program, the one line on stderr with which it refuses, before anything else."""
    done = run_programs(one_device(**environment), [("-m", "yolojax", *PROGRAMS[program]) for program in programs])
    for status, out, err in done:
        assert status == 1 and out == "" and err.count("\n") == 1 and "error: " in err, err
    return {program: err for program, (_, _, err) in zip(programs, done, strict=True)}


def refused(program, **environment):
    """The same of one program, in a process of its own."""
    status, out, err = shell('"$@"', "-m", "yolojax", *PROGRAMS[program], **environment)
    assert status == 1 and out == "" and err.count("\n") == 1 and "error: " in err, err
    return err


def test_a_platform_that_is_not_there_is_one_line():
    for program, message in all_refused(*PROGRAMS, JAX_PLATFORMS="nonsense").items():
        assert "JAX_PLATFORMS=nonsense: there is no such device here" in message, program


@pytest.mark.parametrize(
    "platform", ["cuda", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpu", "tpu", "rocm", "cpu,nonsense"))]
)
def test_every_platform_that_is_not_there_is_one_line(platform):
    message = refused("train", JAX_PLATFORMS=platform, CUDA_VISIBLE_DEVICES="")  # also where there is one
    assert f"JAX_PLATFORMS={platform}: there is no such device here (" in message and "set JAX_PLATFORMS=cpu" in message
    assert ("jax[cuda12]" in message) == (platform in ("cuda", "gpu"))


@pytest.mark.slow
def test_without_compilation_nothing_is_begun():
    for program, message in all_refused("train", "eval", "detect", "export", JAX_DISABLE_JIT="1").items():
        assert "JAX_DISABLE_JIT is set, but these programs run compiled only; unset it" in message, program


def test_processes_that_join_say_it_too():
    words = ("-m", "yolojax", *PROGRAMS["train"], "--coordinator=localhost:0", "--num_processes=1", "--process_id=0")
    free = subprocess.run(
        [sys.executable, "-c", "import socket; s = socket.socket(); s.bind(('', 0)); print(s.getsockname()[1])"],
        capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    words = [word.replace(":0", f":{free}") for word in words]
    status, _out, err = shell('"$@"', *words, JAX_PLATFORMS="nonsense")
    assert status == 1 and err.count("\n") == 1 and "JAX_PLATFORMS=nonsense: there is no such device here" in err


def test_commands_about_data_need_no_device(data):
    status, out, err = shell('"$@"', "-m", "yolojax", "check", data, JAX_PLATFORMS="nonsense", PYTHONIOENCODING="ascii")
    assert status == 0 and not err and "0 problems" in out


@pytest.mark.parametrize("line", ['"$@" >&-', '"$@" | head -n 1'])
@pytest.mark.parametrize("words", [("check",), ("train", "--help")])
def test_printed_results_that_nobody_reads_are_no_error(line, words, data):
    _status, _out, err = shell(line, "-m", "yolojax", *words, *([data] if words == ("check",) else []))
    assert not err
