"""Steps whose loss is not finite: they are counted once and left out of the averages, and too many of them stop the run."""

import math

import pytest

from tests.helpers.tiny_config import get_config
from yolojax.errors import InputError
from yolojax.training.recorder import Recorder


class Log:
    def __init__(self):
        self.lines = []

    def write(self, step, split, values):
        self.lines.append({"step": step, **values})


class Progress:
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)

    def show(self, step, values, terms):
        pass


class Source:
    records = ()

    def __len__(self):
        return 96

    def describe(self, index):
        return f"{index}.png"


def entry(loss):
    terms = dict.fromkeys(("loss", "box", "objectness", "classification", "gradient_norm"), loss)
    return {**terms, "skipped": int(not math.isfinite(loss))}


COUNTS = {"dropped_small": 0, "dropped_excess": 0, "unreadable": 0}


def make(limit, pending=(), skipped=0):
    config = get_config()
    config.train.max_skipped_steps = limit
    log, progress = Log(), Progress()
    return Recorder(config, lambda step: step / 100, Source(), log, progress, list(pending), skipped), log, progress


def test_skipped_steps_are_counted_once_said_and_left_out_of_the_averages():
    recorder, log, progress = make(limit=3)
    for step, loss in enumerate((1.0, math.nan, 3.0, 4.0, math.inf, 1.0, 2.0), start=1):
        recorder.add(step, entry(loss), COUNTS)
        if step == 3:
            pending = recorder.flush()  # a group of 5 is not complete: its steps are fetched twice
    assert [e["step"] for e in pending] == [1, 2, 3]
    recorder.flush(last=True)
    assert recorder.skipped == 2
    assert [(line["step"], line["skipped"], line["loss"]) for line in log.lines] == [(5, 2, 8 / 3), (7, 0, 1.5)]
    # Update n uses the rate of step n, and two updates were skipped.
    assert [line["learning_rate"] for line in log.lines] == [0.03, 0.05]
    assert len(progress.lines) == 2 and progress.lines[0].startswith("step 2: the loss is not finite (box nan, ")
    assert "its pictures: " in progress.lines[0] and ".png; this update is skipped, number 1 of at most 3" in progress.lines[0]

    # A resumed run neither counts nor reports again the skipped steps that its checkpoint has counted.
    recorder, log, progress = make(3, pending, skipped=1)
    for step in (4, 5):
        recorder.add(step, entry(4.0), COUNTS)
    recorder.flush()
    assert recorder.skipped == 1 and not progress.lines and log.lines[0]["skipped"] == 1


def test_a_group_of_skipped_steps_has_no_averages():
    recorder, log, _ = make(limit=5)
    for step in range(1, 6):
        recorder.add(step, entry(math.nan), COUNTS)
    recorder.flush()
    assert log.lines[0]["skipped"] == 5 and math.isnan(log.lines[0]["loss"])


def test_a_run_whose_last_step_is_skipped_has_failed():
    recorder, _, _ = make(limit=5)
    for step, loss in enumerate((1.0, math.nan), start=1):
        recorder.add(step, entry(loss), COUNTS)
    recorder.flush()  # not an error yet: the run may continue
    with pytest.raises(InputError, match=r"^step 2: the loss is not finite .*; its pictures: .*the run ends there"):
        recorder.flush(last=True)


@pytest.mark.parametrize("limit", [0, 2])
def test_one_more_than_the_limit_stops_and_names_step_and_pictures(limit):
    recorder, _, progress = make(limit)
    for step in range(1, limit + 2):
        recorder.add(step, entry(math.nan), COUNTS)
    message = rf"step {limit + 1}: the loss is not finite .* its pictures: \d+\.png.*; {limit} updates were skipped before"
    with pytest.raises(InputError, match=message):
        recorder.flush()
    assert len(progress.lines) == limit
