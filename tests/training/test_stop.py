"""Signals that ask a run to stop."""

import signal

import pytest

from yolojax.runtime.devices import make_mesh
from yolojax.training.stop import StopSignals


@pytest.mark.parametrize("first, status", [(signal.SIGINT, None), (signal.SIGTERM, 143)])
def test_of_two_signals_at_once_the_first_says_how_the_run_ends(monkeypatch, first, status):
    second = {signal.SIGINT: signal.SIGTERM, signal.SIGTERM: signal.SIGINT}[first]
    with StopSignals(make_mesh()) as stop:
        assert not stop.signal()
        restore = stop._restore

        def while_the_first_is_noted():
            monkeypatch.undo()
            signal.raise_signal(second)
            restore()

        monkeypatch.setattr(stop, "_restore", while_the_first_is_noted)
        signal.raise_signal(first)
        assert stop.signal() == first
        with pytest.raises(KeyboardInterrupt if status is None else SystemExit) as ended:
            stop.leave()
        assert getattr(ended.value, "code", None) == status
