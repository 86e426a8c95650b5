"""What callbacks are told."""

import pytest

from yolojax.training.events import KINDS, Event, Notifier


def test_callbacks_are_told_in_order_and_cannot_change_what_the_next_one_sees(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = []

    def first(event):
        told.append((1, event))
        event.numbers.clear()

    notify = Notifier([first, lambda event: told.append((2, event))], "run")
    numbers = {"loss": 2.0}
    notify("log", 7, numbers)
    assert [who for who, _ in told] == [1, 2] and told[1][1] == Event("log", 7, {"loss": 2.0}, str(tmp_path / "run"))
    assert numbers == {"loss": 2.0} and "log" in KINDS


def test_an_exception_of_a_callback_is_not_hidden(tmp_path):
    def broken(event):
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        Notifier([broken], tmp_path)("start", 0, {})
