"""Locks on folders; that they end with their process is tested for those of workdirs."""

import pytest

from yolojax.runtime.locks import folder_lock


def test_one_holds_it_and_another_is_told(tmp_path):
    pytest.importorskip("fcntl", reason="this system has no such locks")
    with folder_lock(tmp_path, wait=0) as first, folder_lock(tmp_path, wait=0) as second:
        assert (first, second) == (True, False)
    with folder_lock(tmp_path, wait=60) as again:
        assert again is True
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError), folder_lock(tmp_path / "none", wait=0):
        raise AssertionError


def test_without_locks_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr("yolojax.runtime.locks.fcntl", None)
    with folder_lock(tmp_path, wait=60) as held:
        assert held is None
