"""Small limits of the system are named in one line before a library meets them."""

import subprocess
import sys

import pytest

from yolojax.errors import InputError
from yolojax.runtime import limits
from yolojax.runtime.limits import check_current_folder, check_limits, shortage_of

resource = pytest.importorskip("resource")


def limited(monkeypatch, **given):
    numbers = {getattr(resource, f"RLIMIT_{name}"): value for name, value in given.items()}
    infinity = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda number: (numbers.get(number, infinity),) * 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"AS": 3 * 2**30}, r"may use 3.0 GiB of address space \(ulimit -v\), and needs 4.0 GiB; raise"),
        ({"NOFILE": 32}, r"may open 32 files \(ulimit -n\), and needs 64; raise"),
    ],
)
def test_too_small_limits_are_refused(monkeypatch, given, message):
    limited(monkeypatch, **given)
    with pytest.raises(InputError, match=message):
        check_limits()


def test_few_threads_are_refused_if_they_cannot_be_started(monkeypatch):
    limited(monkeypatch, NPROC=200)
    check_limits()

    class Refused:
        def __init__(self, **_):
            pass

        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(limits.threading, "Thread", Refused)
    with pytest.raises(InputError, match=r"cannot start 100 threads: its user may have 200 .*\(ulimit -u\)"):
        check_limits()


def test_a_soft_limit_on_files_is_raised():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (32, 1024))\n"
        "from yolojax.runtime.limits import check_limits; check_limits()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(1024, 1024)\n"


def test_shortages_are_told_from_other_errors():
    assert "not enough memory" in shortage_of(MemoryError())
    assert "not enough memory" in shortage_of(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 5 bytes"))
    assert "ulimit -u" in shortage_of(RuntimeError("can't start new thread"))
    assert shortage_of(RuntimeError("something else")) is None


def test_a_current_folder_that_was_removed_is_refused(tmp_path, monkeypatch):
    check_current_folder()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InputError, match="the current folder was removed; change to another one"):
        check_current_folder()
