"""The collector of circular garbage rests in a block, and only there."""

import gc
import weakref

import pytest

from yolojax.runtime.collector import paused_collector


class Circle:
    def __init__(self):
        self.itself = self


def make_garbage():
    circle = Circle()
    for _ in range(2000):
        Circle()
    return weakref.ref(circle)


def test_garbage_waits_for_the_end_of_the_block():
    with paused_collector():
        circle = make_garbage()
        assert circle() is not None
    gc.collect()
    assert circle() is None


def test_an_error_does_not_leave_it_off():
    with pytest.raises(KeyError), paused_collector():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    with paused_collector():
        with paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
