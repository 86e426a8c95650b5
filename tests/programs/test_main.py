"""`yolojax` and `python -m yolojax`: its commands, its one-line errors and its exit statuses."""

import os
import subprocess
import sys

import pytest

import yolojax
from yolojax.__main__ import main
from yolojax.runtime.command import COMMANDS


def test_input_error_is_one_line_and_status_1(tmp_path):
    absent = tmp_path / "absent.npz"
    run = subprocess.run(
        [sys.executable, "-m", "yolojax", "digits", "--out", str(tmp_path / "out"), "--mnist", str(absent)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.startswith(f"error: {absent}: ") and run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, name",
    [
        (["check", ""], "DATA"),
        (["convert", ".", "", "--to", "voc", "--out", "x"], "DATA"),
        (["convert", ".", "--to", "voc", "--out", ""], "--out"),
        (["train", "--workdir", "x", "--data="], "--data"),
        (["train", "--workdir", ""], "--workdir"),
        (["eval", "--workdir="], "--workdir"),
        (["detect", "--workdir", "x", ""], "an argument"),
        (["detect", "--workdir", "x", "--classes=", "a.png"], "--classes"),
    ],
)
def test_an_unset_variable_of_a_shell_is_not_the_current_folder(arguments, name, tmp_path):
    run = subprocess.run([sys.executable, "-m", "yolojax", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 1 and run.stdout == "" and run.stderr.count("\n") == 1
    assert f"error: {name} is empty: give a value, or leave it out" in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["check", "x"], ["eval", "--workdir", "x"], ["detect", "--workdir", "x", "a.png"]])
def test_a_setting_of_opencv_that_is_no_number_is_one_line(arguments):
    environment = os.environ | {"OPENCV_IO_MAX_IMAGE_PIXELS": "-1"}
    run = subprocess.run([sys.executable, "-m", "yolojax", *arguments], capture_output=True, text=True, env=environment)
    assert run.returncode == 1 and run.stdout == "" and run.stderr.count("\n") == 1
    assert "OPENCV_IO_MAX_IMAGE_PIXELS" in run.stderr


@pytest.mark.parametrize("arguments", [["check", "x"], ["eval", "--workdir", "x"]])
def test_a_current_folder_that_was_removed_is_named(arguments, tmp_path):
    code = "import os, sys; from yolojax.programs.main import main; os.rmdir(sys.argv[1]); main(sys.argv[2:])"
    command = [sys.executable, "-c", code, str(tmp_path), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert run.stdout == "" and run.stderr.count("\n") == 1
    assert "error: the current folder was removed; change to another one (cd)" in run.stderr


def test_a_bare_call_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    shown = capsys.readouterr()
    assert caught.value.code == 2 and shown.out == ""
    lines = [line.split(maxsplit=1) for line in shown.err.splitlines() if line.startswith("    ")]
    assert [name for name, _ in lines] == list(COMMANDS)
    assert all(len(explanation) > 15 for _, explanation in lines)


@pytest.mark.parametrize("name", ["train", "eval", "detect"])
def test_errors_of_the_programs_begin_with_what_was_typed(name):
    run = subprocess.run([sys.executable, "-m", "yolojax", name, "--wrkdir=x"], capture_output=True, text=True)
    assert run.returncode == 2 and run.stdout == "" and run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"python -m yolojax {name}: error: Unknown command line flag 'wrkdir'")


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"yolojax {yolojax.__version__}\n"


MISTYPED = [
    [],
    ["digit"],
    ["split", "list.txt"],
    ["split", "list.txt", "--out", "x", "--val", "few"],
    ["digits"],
    ["digits", "--out", "x", "--train", "many"],
    ["convert", "--to", "voc", "--out", "x"],
    ["convert", "a.json", "--to", "csv", "--out", "x"],
    ["check"],
    ["anchors", "list.txt", "--names", "names", "--network", "yolov9"],
    ["import", "a.weights", "--cfg", "a.cfg"],
    ["export", "run", "--to", "tensorflow", "--out", "x"],
    ["export", "run", "--to", "onnx"],
]


@pytest.mark.parametrize("arguments", MISTYPED)
def test_mistyped_arguments_are_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m yolojax" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["train", "eval", "detect", "check", "anchors", "digits", "convert", "split", "import", "export"]),
        (["split", "--help"], ["DATA", "--out", "--val", "--test", "--seed", "--names", "default: 0.2"]),
        (["import", "--help"], ["FILE.weights", "--cfg", "--workdir", "--names", "YOLOv3-SPP"]),
        (["export", "--help"], ["WORKDIR", "darknet", "stablehlo", "onnx", "--out", "--checkpoint", "--pictures"]),
        (["digits", "--help"], ["--out", "--mnist", "default: 416"]),
        (["convert", "--help"], ["DATA", "--to", "coco", "--split", "links"]),
        (["check", "--help"], ["DATA", "--names", "--out", "Changes"]),
        (["anchors", "--help"], ["--names", "--network", "--seed"]),
        (["export", "--help"], ["WORKDIR", "stablehlo", "onnx", "--out", "--checkpoint", "--pictures"]),
    ],
)
def test_help(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    shown = capsys.readouterr().out
    assert caught.value.code == 0 and all(word in shown for word in words)


def test_ctrl_c_while_a_command_loads_is_no_traceback():
    for error, lines in (("KeyboardInterrupt", 0), ("ZeroDivisionError('why')", 3)):
        code = f"import yolojax.programs\nraise {error}"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode in (-2, 130) if lines == 0 else run.returncode == 1
        assert len(run.stderr.splitlines()) == lines


def test_ctrl_c_while_garbage_is_collected_is_not_lost():
    code = """
import gc, signal, time, yolojax.programs
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in what a shell runs in the background
def interrupted(*_):
    gc.callbacks.clear()
    signal.raise_signal(signal.SIGINT)
gc.callbacks.append(interrupted)
try:
    gc.collect()
    time.sleep(30)
    print("lost")
except KeyboardInterrupt:
    print("here")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "here\n" and run.stderr == ""
