"""Whole runs in several layouts of devices and processes: the same numbers, each other's checkpoints, and every way to end."""

import functools
import json
import shutil
import signal
import time

import pytest

from tests.helpers.several import REPOSITORY, finish, start
from yolojax.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

SETTINGS = [
    f"--config={REPOSITORY}/tests/helpers/tiny_config.py",
    "--config.data.sizes=((64,64),)",
    "--config.data.digits_train=80",
    "--config.data.digits_val=13",  # the last batch is not full
    "--config.train.epochs=2.0",
    "--config.data.augment.mix_off_epochs=1.0",
    # At 1e-3 a value that lies within rounding of a kink can carry the losses 1e-4 apart; test_layouts.py shows that nothing
    # but rounding differs.
    "--config.optimizer.learning_rate=1e-4",
    "--config.train.log_steps=1",
    "--config.train.checkpoint_steps=4",
]
STEPS = 20


def train(workdir, *settings, processes=1, devices=1):
    return start("train.py", "--workdir", workdir, *SETTINGS, *settings, processes=processes, devices=devices)


def succeed(running):
    outcomes = finish(running)
    for status, _, err in outcomes:
        assert status == 0 and not err, err
    return outcomes


def lines(workdir, split):
    values = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    chosen = [line for line in values if line.pop("split") == split]
    for line in chosen:
        for name in ("images_per_second", "data_seconds", "host_seconds", "device_seconds"):
            line.pop(name, None)
    return chosen


def assert_same_run(workdir, other):
    for split in ("train", "val"):
        ours, theirs = lines(workdir, split), lines(other, split)
        assert [line["step"] for line in ours] == [line["step"] for line in theirs]
        for line, expected in zip(ours, theirs, strict=True):
            assert line.keys() == expected.keys()
            for name, value in expected.items():
                rel = 1e-3 if name == "gradient_norm" else 1e-5
                close = value if value is None else pytest.approx(value, rel=rel, abs=1e-6)
                assert line[name] == close, (name, line["step"])
    assert lines(workdir, "train")[-1]["step"] == STEPS
    assert_same_evaluation(workdir, other)


def assert_same_evaluation(workdir, other):
    ours, theirs = (json.loads((folder / "eval/val/metrics.json").read_text()) for folder in (workdir, other))
    assert ours["step"] == theirs["step"] and ours["images"] == theirs["images"] == 13
    assert ours["per_class"].keys() == theirs["per_class"].keys()
    for name in ("loss", "ap", "ap50", "voc_ap50", "ar_100"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5, abs=1e-6), name
    detections, expected = (json.loads((folder / "eval/val/detections.json").read_text()) for folder in (workdir, other))
    assert len(detections) == len(expected)
    assert sorted(result["image_id"] for result in detections) == sorted(result["image_id"] for result in expected)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """A function of (processes, devices of each) to the workdir of a whole run; each is made once."""

    @functools.cache
    def run(processes, devices):
        workdir = tmp_path_factory.mktemp("layouts") / f"{processes}x{devices}"
        succeed(train(workdir, processes=processes, devices=devices))
        return workdir

    return run


@pytest.fixture(scope="module")
def plain(run_of):
    """The run of one process with one device."""
    return run_of(1, 1)


@pytest.mark.parametrize("processes, devices", [(1, 2), (1, 4), (1, 8), (2, 2)])
def test_every_layout_trains_and_evaluates_alike(plain, run_of, processes, devices):
    assert_same_run(run_of(processes, devices), plain)


@pytest.mark.parametrize("made, resumed", [((1, 1), (2, 2)), ((2, 2), (1, 1)), ((2, 2), (1, 8)), ((1, 8), (2, 2))])
def test_a_checkpoint_is_resumed_in_another_layout(plain, run_of, tmp_path, made, resumed):
    workdir = tmp_path / "run"
    shutil.copytree(run_of(*made), workdir)
    shutil.rmtree(workdir / "checkpoints" / "20")
    shutil.rmtree(workdir / "eval")
    processes, devices = resumed
    (_, out, _), *others = succeed(train(workdir, processes=processes, devices=devices))
    assert f"resuming {workdir} at step 16" in out and f"on {processes * devices} CPU device(s)" in out
    assert ("in 2 processes" in out) == (processes == 2)
    for _, silent, _ in others:
        assert all(line.startswith("[Gloo]") for line in silent.splitlines())
    assert_same_run(workdir, plain)


def test_a_signal_to_one_process_stops_both_after_the_same_step(plain, tmp_path):
    workdir = tmp_path / "run"
    running = train(workdir, processes=2, devices=2)
    wait_for_a_step(workdir, running)
    running[1].send_signal(signal.SIGTERM)
    for status, _, err in finish(running):
        assert status == 143 and not err
    step = Checkpoints(workdir, read_only=True).steps()[-1]
    assert 0 < step < STEPS
    ((_, out, _),) = succeed(train(workdir, devices=4))
    assert f"resuming {workdir} at step {step}" in out
    assert_same_run(workdir, plain)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_process_that_is_killed_does_not_leave_the_other_waiting(tmp_path, killed):
    running = train(tmp_path / "run", "--config.train.epochs=400.0", processes=2, devices=2)
    wait_for_a_step(tmp_path / "run", running)
    running[killed].kill()
    outcomes = finish(running, timeout=120)
    status, _, err = outcomes[1 - killed]
    assert outcomes[killed][0] == -signal.SIGKILL and status != 0
    last = err.splitlines()[-1]
    assert last.startswith("train.py: error: ") and last.endswith("the same commands resume from the last checkpoint")


def test_eval_of_two_processes_is_that_of_one(plain, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(plain, workdir)
    shutil.rmtree(workdir / "eval")
    (_, out, _), (_, silent, _) = succeed(start("eval.py", "--workdir", workdir))
    assert "VOC 11-point" in out and all(line.startswith("[Gloo]") for line in silent.splitlines())
    assert_same_evaluation(workdir, plain)
    files = [{path.name for path in (folder / "eval/val").iterdir()} for folder in (workdir, plain)]
    assert files[0] == files[1]
    seconds = json.loads((workdir / "eval/val/metrics.json").read_text())["stage_seconds"]
    assert seconds["read"] > 0 and seconds["forward"] > 0


def test_two_processes_start_from_another_run(plain, tmp_path):
    settings = f"--config.init_from={plain}", "--config.train.epochs=0.4"
    workdirs = [tmp_path / "one", tmp_path / "two"]
    for processes, workdir in enumerate(workdirs, start=1):
        (_, out, _), *_ = succeed(train(workdir, *settings, processes=processes))
        assert f"initial values from {plain}" in out
    assert lines(workdirs[0], "train")[0]["loss"] == pytest.approx(lines(workdirs[1], "train")[0]["loss"], rel=1e-5)


def test_a_broken_picture_ends_both(tmp_path):
    pictures = tmp_path / "pictures"
    ((status, _, err),) = finish(
        start("-m", "yolojax", "digits", "--out", pictures, "--train", 16, "--val", 4, "--size", 128, processes=1)
    )
    assert status == 0, err
    broken = sorted((pictures / "train").rglob("*.png"))[5]
    broken.write_bytes(broken.read_bytes()[:200])
    data = [f"--config.data.{split}={pictures / split}.txt" for split in ("train", "val")]
    names = f"--config.data.names={next(pictures.glob('*.names'))}"
    for status, _, err in finish(train(tmp_path / "run", *data, names, "--config.data.source=auto", processes=2)):
        assert status == 1 and err.count("\n") == 1 and broken.name in err and "damaged" in err


def wait_for_a_step(workdir, running):
    while not (workdir / "metrics.jsonl").exists() or not (workdir / "metrics.jsonl").read_text():
        assert all(process.poll() is None for process in running), finish(running)
        time.sleep(0.05)
