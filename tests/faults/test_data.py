"""Data that goes wrong during a run, between two, or that is meant to harm."""

import contextlib
import json
import os
import re
import signal
import subprocess

import numpy as np
import pytest

from tests.data.test_large_pictures import BOMBS
from tests.faults.test_killed import assert_same_end
from tests.helpers.permissions import bound, permissions
from tests.programs.test_programs import CONFIG, end_of, make_list, metrics_lines, run, start, succeed, wait_for_steps
from yolojax.data.images import write_image

pytestmark = pytest.mark.slow


def interposed(fault, argument, *flags):
    return ("-m", "tests.faults.interposed", fault, argument, "--", *flags)


def flags_of(tmp_path, *more):
    return ("--workdir", tmp_path / "run", "--config", CONFIG, *more)


def test_nan_in_batches(environment, finished, tmp_path):
    """Skipped, counted, said, and to the bit the same when the run is stopped and resumed between."""
    flags = flags_of(tmp_path)
    out = succeed(environment, *interposed("nan_at", "7,18,19", *flags))
    lines = metrics_lines(tmp_path / "run")
    assert {line["step"]: line["skipped"] for line in lines if line["split"] == "train" and line["skipped"]} == {10: 1, 20: 2}
    assert all(line["loss"] is not None for line in lines)
    said = re.findall(r"step (\d+): the loss is not finite .*its pictures: scene .*skipped, number (\d) of at most 10", out)
    assert said == [("7", "1"), ("18", "2"), ("19", "3")]

    undisturbed = tmp_path / "run"
    flags = ("--workdir", tmp_path / "again", "--config", CONFIG)
    process = start(environment, *interposed("nan_at", "7,18,19", *flags))
    wait_for_steps(process)
    process.send_signal(signal.SIGTERM)
    end_of(process)
    succeed(environment, *interposed("nan_at", "7,18,19", *flags))
    assert_same_end(tmp_path / "again", undisturbed)


def test_nan_in_more_batches_than_allowed(environment, tmp_path):
    flags = flags_of(tmp_path, "--config.train.max_skipped_steps=2")
    status, out, err = run(environment, *interposed("nan_at", "9,10,11", *flags))
    assert status == 1 and err.count("\n") == 1, err
    assert "step 11: the loss is not finite" in err and "its pictures: scene " in err and "2 updates were skipped before" in err
    assert len(re.findall("this update is skipped", out)) == 2
    assert (tmp_path / "run/checkpoints/8").is_dir()


def test_thread_raises(environment, tmp_path):
    """What no one foresaw is a traceback that names it, and an end of the program, not a wait for ever."""
    status, _, err = run(environment, *interposed("thread_raises", "out of the blue", *flags_of(tmp_path)))
    assert status == 1 and err.rstrip().endswith("RuntimeError: out of the blue")


def test_processes_that_get_the_signal_too(environment, finished, tmp_path):
    """As from a scheduler that ends a job: the run still gets its samples, saves, and resumes to the bit."""
    flags = flags_of(tmp_path, "--config.data.processes=2")
    process = start(environment, "train.py", *flags, start_new_session=True)
    wait_for_steps(process)
    os.killpg(process.pid, signal.SIGTERM)
    out, err = end_of(process)
    assert "the same command resumes from there" in out and not err, err
    assert "resum" in succeed(environment, "-m", "yolojax", "train", *flags)
    assert_same_end(tmp_path / "run", finished[0])


def test_a_process_that_makes_samples_is_killed(environment, tmp_path):
    flags = flags_of(tmp_path, "--config.data.processes=2", "--config.train.epochs=999")
    process = start(environment, "train.py", *flags)
    wait_for_steps(process)
    made = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "worker_processes"], capture_output=True, text=True, check=True
    )
    os.kill(int(made.stdout.split()[0]), signal.SIGKILL)
    _, err = end_of(process)
    assert process.returncode == 1 and err.count("\n") == 1, err
    assert "config.data.processes: a process that makes training images was ended by SIGKILL" in err


@pytest.mark.parametrize("choice", ["stop", "skip"])
def test_picture_deleted_during_the_run(environment, tmp_path, choice):
    lists = make_list(tmp_path)
    flags = flags_of(tmp_path, *lists, "--config.train.epochs=8", f"--config.data.on_unreadable={choice}")
    status, _, err = run(environment, *interposed("delete_at_step", f"4:{tmp_path}/picture.png", *flags))
    if choice == "stop":
        assert status == 1 and err.count("\n") == 1
        assert f"{tmp_path}/list.txt:2: {tmp_path}/picture.png: the picture cannot be read: No such file" in err
    else:
        assert status == 0 and not err, err
        assert metrics_lines(tmp_path / "run")[-1]["unreadable"] > 0


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("1,1,20,20,1", "1,1,20,21,1", r"\S*list\.txt:2 has changed"),
        ("1,1,20,20,1", "1,1,20,20,0", r"\S*list\.txt:2 has changed"),
        ("other.png", "picture.png", r"\S*list\.txt:1 has changed"),
        (" 2,2,30,30,0", "", "2 pictures with 2 boxes then, 2 pictures with 1 boxes now"),
    ],
)
def test_list_edited_between_stop_and_resume(environment, tmp_path, old, new, message):
    flags = flags_of(tmp_path, *make_list(tmp_path), "--config.train.epochs=2")
    succeed(environment, "train.py", *flags)
    text = (tmp_path / "list.txt").read_text()
    (tmp_path / "list.txt").write_text("\n" + text)  # what it says is the same
    succeed(environment, "train.py", *flags)
    (tmp_path / "list.txt").write_text(text.replace(old, new))
    status, _, err = run(environment, "train.py", *flags)
    assert status == 1 and err.count("\n") == 1
    assert re.search(rf"the data of config\.data\.train has changed since .*{message}", err)
    (tmp_path / "list.txt").write_text(text)
    succeed(environment, "train.py", *flags)


@contextlib.contextmanager
def mounted_read_only(folder):
    bind = ["mount", "--bind", str(folder), str(folder)]
    if os.geteuid() or subprocess.run(bind, capture_output=True).returncode:
        pytest.skip("only root may mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("how", ["permissions", "mount"])
def test_read_only_data(environment, tmp_path, how):
    folder = tmp_path / "data"
    folder.mkdir()
    lists = make_list(folder)
    for path in folder.iterdir():
        path.chmod(0o400)
    before = bound() if how == "permissions" else ()
    with permissions(folder, 0o500) if how == "permissions" else mounted_read_only(folder):
        succeed(environment, "train.py", *flags_of(tmp_path, *lists, "--config.train.epochs=2"), before=before)
        succeed(environment, "eval.py", "--workdir", tmp_path / "run", before=before)


@pytest.mark.parametrize("what", ["picture.png", "list.txt"])
def test_data_that_may_not_be_read(environment, tmp_path, what):
    flags = flags_of(tmp_path, *make_list(tmp_path), "--config.train.epochs=2")
    with permissions(tmp_path / what, 0):
        status, _, err = run(environment, "train.py", *flags, before=bound())
    assert status == 1 and err.count("\n") == 1 and f"{tmp_path / what}" in err and "Permission denied" in err, err
    succeed(environment, "train.py", *flags)


def test_ten_thousand_boxes_in_a_picture(environment, tmp_path):
    lists = make_list(tmp_path)
    rng = np.random.default_rng(0)
    low = rng.integers(0, 40, (10_000, 2))
    boxes = " ".join(f"{x},{y},{x + 9},{y + 9},{i % 2}" for i, (x, y) in enumerate(low.tolist()))
    (tmp_path / "list.txt").write_text(f"picture.png {boxes}\nother.png 2,2,30,30,0\n")
    succeed(environment, "train.py", *flags_of(tmp_path, *lists, "--config.train.epochs=2"))
    lines = [line for line in metrics_lines(tmp_path / "run") if line["split"] == "train"]
    assert lines and lines[-1]["dropped_excess"] > 9_000
    metrics = json.loads((tmp_path / "run/eval/val/metrics.json").read_text())
    assert metrics["boxes"] == 10_001


@pytest.mark.parametrize("width, height", [(1, 1), (20_000, 1), (1, 20_000), (20_000, 300)])
def test_pictures_of_odd_sizes(environment, tmp_path, width, height):
    lists = make_list(tmp_path)
    write_image(tmp_path / "odd.png", np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    (tmp_path / "list.txt").write_text(f"odd.png 0,0,{width},{height},0\nother.png 2,2,30,30,0\n")
    succeed(environment, "train.py", *flags_of(tmp_path, *lists, "--config.train.epochs=2"))
    succeed(environment, "eval.py", "--workdir", tmp_path / "run")
    out = ("--out", tmp_path / "out", "--score_threshold=0.001")
    succeed(environment, "detect.py", "--workdir", tmp_path / "run", *out, tmp_path / "odd.png")
    (result,) = json.loads((tmp_path / "out/detections.json").read_text())
    assert (result["width"], result["height"]) == (width, height)


@pytest.mark.parametrize("kind", BOMBS)
def test_decompression_bombs(environment, finished, tmp_path, kind):
    (tmp_path / "bomb.png").write_bytes(BOMBS[kind])
    lists = make_list(tmp_path, "bomb.png 1,1,20,20,1")
    status, _, err = run(environment, "train.py", *flags_of(tmp_path, *lists))
    assert status == 1 and err.count("\n") == 1 and "bomb.png" in err and "more than 268,435,456 pixels are not read" in err
    flags = ("--workdir", finished[0], "--out", tmp_path / "out")
    status, out, err = run(environment, "detect.py", *flags, tmp_path / "bomb.png", tmp_path / "other.png")
    assert status == 1 and err.count("\n") == 1 and "1 of 2 pictures could not be read" in err and "bomb.png" in err
    assert re.search(r"left out: \S*bomb\.png.*more than 268,435,456 pixels are not read", out)
    assert (tmp_path / "out/other.png").exists()  # the rest is done
