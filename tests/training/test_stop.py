"""Signals that ask a run to stop."""

import ctypes
import os
import signal

import pytest

from yolojax.runtime.devices import make_mesh
from yolojax.training import stop as module
from yolojax.training.stop import StopSignals

ORDERS = [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)]


def assert_ends(stop, first):
    assert stop.signal() == first
    with pytest.raises(KeyboardInterrupt if first == signal.SIGINT else SystemExit) as ended:
        stop.leave()
    assert getattr(ended.value, "code", None) == (None if first == signal.SIGINT else 128 + first)


@pytest.mark.parametrize("order", ORDERS)
def test_of_two_signals_at_once_the_first_says_how_the_run_ends(order, capfd):
    kill = ctypes.PyDLL(None).kill
    with StopSignals(make_mesh()) as stop:
        assert not stop.signal()
        # From C, between which Python handles no signal: then it calls the handlers by number, whichever came first.
        list(map(kill, [os.getpid()] * 2, map(int, order)))
        assert_ends(stop, order[0])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("order", ORDERS)
def test_a_second_signal_at_the_same_moment_changes_nothing(order):
    with StopSignals(make_mesh()) as stop:
        for number in order:
            signal.raise_signal(number)
        assert_ends(stop, order[0])


def test_the_end_of_the_terminal_stops_a_run_unless_it_is_ignored():
    before = signal.getsignal(signal.SIGHUP)
    with StopSignals(make_mesh()) as stop:
        signal.raise_signal(signal.SIGHUP)
        assert_ends(stop, signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals(make_mesh()) as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.signal()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_later_acts_as_before(second, monkeypatch):
    seen = []
    before = signal.signal(second, lambda number, _: seen.append(number))
    descriptor = signal.set_wakeup_fd(-1)
    try:
        with StopSignals(make_mesh()) as stop:
            signal.raise_signal(signal.SIGINT)
            monkeypatch.setattr(module, "SAME_MOMENT", -1.0)
            signal.raise_signal(second)
            assert seen == [second] and stop.signal() == signal.SIGINT
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(second, before)
        signal.set_wakeup_fd(descriptor)
