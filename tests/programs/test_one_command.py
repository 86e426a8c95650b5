"""`train --data FOLDER`: what it chooses and says, and `train --workdir` alone, which goes on with what is there."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.own_folder import write_folder
from tests.helpers.programs import one_device, run_programs
from yolojax.config import Config, to_dict
from yolojax.data.convert import convert
from yolojax.programs.config_flag import continued_run, default_config

SMALL = (
    "--config.model.name=yolov3_tiny", "--config.model.width=0.125", "--config.data.size=(64,64)",
    "--config.train.epochs=1", "--config.train.batch_size=8", "--config.data.cache_gib=0",
)  # fmt: skip


@pytest.fixture
def voc(tmp_path):
    """A folder of Annotations and JPEGImages without lists of splits."""
    convert([write_folder(tmp_path / "in")], "voc", tmp_path / "voc", names=["cat", "dog"])
    shutil.rmtree(tmp_path / "voc/ImageSets")
    return tmp_path / "voc"


def program(*arguments, cwd=REPOSITORY):
    """Runs a program; returns its status and what it printed."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=one_device(), capture_output=True, text=True, timeout=1200)
    return done.returncode, done.stdout, done.stderr


def succeed(*arguments, **options):
    status, out, err = program(*arguments, **options)
    assert status == 0 and not err, err
    return out


def test_from_a_folder_to_a_trained_network_and_on(voc, tmp_path):
    workdir = tmp_path / "run"
    command = ("-m", "yolojax", "train", "--workdir", workdir, "--data", "voc", *SMALL)
    out = succeed(*command, cwd=tmp_path)
    lines = out.splitlines()
    assert lines[0] == "voc: recognised as voc; 2 classes: cat, dog"
    assert lines[1].endswith(" for validation") and lines[2].startswith("network yolov3_tiny at 64 x 64 pixels (")
    assert lines[3].startswith("anchors: ")
    config = json.loads((workdir / "config.json").read_text())
    assert config["data"]["train"] == str(voc) and config["data"]["class_names"] == ["cat", "dog"]
    assert config["data"]["val"] == "" and config["data"]["val_share"] == 0.2 and config["optimizer"]["ema_decay"] == 0.995
    count = json.loads((workdir / "eval/val/metrics.json").read_text())["images"]
    assert f"validation: {count} of 20 pictures, chosen by their content (config.data.val_share = 0.2)" in lines
    assert lines[1] == f"{20 - count} pictures for training, {count} for validation"
    # The workdir alone resumes with the run's own configuration. What a run that has ended does then is to evaluate.
    (resumed, out, none), (status, _, err), (evaluated, printed, nothing) = run_programs(
        one_device(),
        [
            ("-m", "yolojax", "train", "--workdir", workdir),
            ("train.py", "--workdir", workdir, "--config.seed=5"),
            ("eval.py", "--workdir", workdir, "--split", "train"),
        ],
    )
    assert resumed == 0 and not none, none
    assert_resumed(workdir, out)
    assert status == 1 and "another configuration (seed: 0 -> 5)" in err
    assert evaluated == 0 and not nothing and f"on {20 - count} pictures of the split 'train'" in printed
    # Data that is gone: where to name its new place.
    voc.rename(tmp_path / "voc2")
    status, _, err = program("-m", "yolojax", "train", "--workdir", workdir)
    assert (
        status == 1
        and err.rstrip().endswith("; if the data has moved, give its new place with --data")
        and "\n" not in err.rstrip()
    )


def assert_resumed(workdir, out):
    assert f"the configuration is that of the run: {workdir / 'config.json'}" in out and f"resuming {workdir} at step" in out


@pytest.mark.slow  # the test before has one of each
def test_every_way_to_resume_and_to_evaluate(voc, tmp_path):
    workdir = tmp_path / "run"
    command = ("-m", "yolojax", "train", "--workdir", workdir, "--data", "voc", *SMALL)
    succeed(*command, cwd=tmp_path)
    # In a checkout and installed.
    for again in (command, (REPOSITORY / "train.py", "--workdir", workdir)):
        assert_resumed(workdir, succeed(*again, cwd=tmp_path))
    count = json.loads((workdir / "eval/val/metrics.json").read_text())["images"]
    out = succeed("eval.py", "--workdir", workdir, "--split", "val")
    assert f"on {count} pictures of the split 'val'" in out


@pytest.mark.slow
def test_missing_pictures_are_passed_over_on_request(tmp_path):
    data = write_folder(tmp_path / "in")
    names = ("--names", tmp_path / "in/classes.names")
    (tmp_path / "in/3.png").unlink()
    (tmp_path / "in/7.png").unlink()
    command = ("train.py", "--workdir", tmp_path / "run", "--data", data, *SMALL)
    status, _, err = program(*command)
    assert status == 1 and "a text list has no class names" in err and "--names" in err
    status, _, err = program(*command, *names)
    assert status == 1 and "error: 2 pictures are missing: " in err and "3.png" in err and "7.png" in err
    assert len(err.splitlines()) == 1 and not (tmp_path / "run").exists()
    out = succeed(*command, *names, "--config.data.on_unreadable=skip")
    assert "training: 2 pictures are missing and are passed over (config.data.on_unreadable=skip), the first at" in out


def test_flags_that_do_not_go_together(tmp_path):
    cases = (
        (("--names", "x"), "--names goes with --data"),
        (("--data", "a", "--config.data.train=b"), "--data and --config.data.train say the same"),
        (("--data", "a", "--names", "b", "--config.data.names=c"), "--names and --config.data.names say the same"),
        (("--data", "nowhere"), "nowhere: there is no such file or folder"),
    )
    done = run_programs(one_device(), [("train.py", "--workdir", tmp_path / "run", *flags) for flags, _ in cases])
    for (_, message), (status, _, err) in zip(cases, done, strict=True):
        assert status == 1 and message in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_help_begins_with_it():
    out = succeed("train.py", "--help")
    assert out.index("--workdir runs/mine --data FOLDER") < out.index("--workdir runs/digits")
    assert "--data " in out and "--names " in out and "(default: digits)" in out


def test_which_configuration_a_training_has_without_config(tmp_path):
    workdir = tmp_path / "run"
    named = ["--workdir", str(workdir)]
    for data in (["--data", "x"], ["--data=x"], ["-data", "x"]):
        assert default_config([*named, *data]) == "data_set"
        assert default_config([*named, *data, "--help"]) == "digits"
    assert default_config(named) == default_config([]) == default_config(["--workdir"]) == "digits"
    (workdir / "checkpoints").mkdir(parents=True)
    assert continued_run(named) is None
    (workdir / "config.json").write_text(json.dumps(to_dict(Config())))
    # It began, but was stopped before its first checkpoint.
    assert continued_run(named) == str(workdir) and continued_run([*named, "--data", "x"]) is None
    (workdir / "checkpoints/0").mkdir()
    assert continued_run(named) is None  # an imported network
    (workdir / "checkpoints/12").mkdir()
    assert continued_run(named) == continued_run([f"--workdir={workdir}", "--data", "x"]) == str(workdir)
    assert default_config(named).endswith(f"saved_config.py:{workdir}")
    assert continued_run([*named, "--config", "digits"]) is None
