"""Seconds are added to the entry of their stage."""

import itertools
import time

import pytest

from yolojax.runtime.timing import timed


def test_blocks_of_one_stage_add_up_even_if_they_fail(monkeypatch):
    ticks = itertools.accumulate([10.0, 2.0, 5.0, 3.0, 1.0, 0.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    seconds = {"read": 0.25, "write": 0.0}
    with timed(seconds, "read"):
        pass
    with timed(seconds, "write"):
        pass
    with pytest.raises(KeyError), timed(seconds, "read"):
        raise KeyError
    assert seconds == {"read": 0.25 + 2 + 0.5, "write": 3}


def test_the_clock_is_that_of_the_wall():
    seconds = {"sleep": 0.0}
    with timed(seconds, "sleep"):
        time.sleep(0.02)
    assert 0.02 <= seconds["sleep"] < 60


def test_a_stage_that_is_not_in_the_dict_is_an_error():
    with pytest.raises(KeyError), timed({}, "raed"):
        pass
