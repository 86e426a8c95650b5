"""One run at a time on a workdir."""

import subprocess
import sys

import pytest

from yolojax.errors import InputError
from yolojax.runs.lock import lock_workdir

HOLD = """
import sys
from yolojax.runs.lock import lock_workdir
with lock_workdir(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_workdir_is_held_by_one_run_until_it_ends_even_by_force(tmp_path, repository):
    pytest.importorskip("fcntl", reason="this system has no such locks")
    workdir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workdir)], cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(InputError, match="another run is training there"), lock_workdir(workdir):
                raise AssertionError
        finally:
            process.kill()
    with lock_workdir(workdir):
        assert not list(workdir.iterdir())


def test_where_there_are_no_locks_the_run_goes_on(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")

    def refused(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with lock_workdir(tmp_path), lock_workdir(tmp_path):
        pass
    monkeypatch.setattr("yolojax.runtime.locks.fcntl", None)
    with lock_workdir(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file cannot be written: "), lock_workdir(tmp_path / "file"):
        raise AssertionError
