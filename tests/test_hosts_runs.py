"""Whole runs in several layouts of devices and processes: the same numbers, one anothers' checkpoints, and every way to end."""

import json
import signal
import time

import pytest

from tests.several import REPOSITORY, finish, start
from yolojax.training.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

SETTINGS = [
    f"--config={REPOSITORY}/tests/tiny_config.py",
    "--config.data.sizes=((64,64),)",
    "--config.data.digits_train=80",
    "--config.data.digits_val=13",  # the last batch is not full
    "--config.train.epochs=2.0",
    "--config.data.augment.mix_off_epochs=1.0",
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
        line.pop("images_per_second")
    return chosen


def assert_same_run(workdir, other, relative=1e-5):
    for split in ("train", "val"):
        ours, theirs = lines(workdir, split), lines(other, split)
        assert [line["step"] for line in ours] == [line["step"] for line in theirs]
        for line, expected in zip(ours, theirs, strict=True):
            for name, value in expected.items():
                assert line[name] == pytest.approx(value, rel=relative, abs=1e-6), (name, line["step"])
    assert lines(workdir, "train")[-1]["step"] == STEPS
    assert_same_evaluation(workdir, other)


def assert_same_evaluation(workdir, other):
    ours, theirs = (json.loads((folder / "eval/val/metrics.json").read_text()) for folder in (workdir, other))
    assert ours["step"] == theirs["step"] and ours["images"] == theirs["images"] == 13
    assert ours["per_class"].keys() == theirs["per_class"].keys()
    for name in ("loss", "ap", "ap50", "voc_ap50", "ar_100"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5, abs=1e-6), name
    found, expected = (json.loads((folder / "eval/val/detections.json").read_text()) for folder in (workdir, other))
    assert len(found) == len(expected)
    assert sorted(result["image_id"] for result in found) == sorted(result["image_id"] for result in expected)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The run of one process with one device."""
    workdir = tmp_path_factory.mktemp("layouts") / "1x1"
    succeed(train(workdir))
    return workdir


@pytest.mark.parametrize("processes, devices", [(1, 2), (1, 4), (1, 8), (2, 2)])
def test_every_layout_trains_and_evaluates_alike(plain, tmp_path, processes, devices):
    workdir = tmp_path / "run"
    succeed(train(workdir, processes=processes, devices=devices))
    assert_same_run(workdir, plain)
