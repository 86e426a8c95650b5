"""Files that are written whole or not at all."""

import contextlib
import errno
import json
import math
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.hand_made import FOUND, NAMES, TRUTHS
from yolojax.errors import InputError
from yolojax.evaluation import summarize
from yolojax.runtime import files
from yolojax.runtime.files import beside, read_whole, whole_set, write_bytes, write_json, write_json_entries, write_text
from yolojax.runtime.locks import folder_lock


def test_json_is_strict_whole_and_replaces_the_old(tmp_path):
    path = tmp_path / "eval" / "val" / "metrics.json"
    value = {"ap": float("nan"), "a": [np.float32(0.5), (np.int64(3), -math.inf)], "é": {"n": None, "t": True}}
    write_json(path, {"old": 1})
    write_json(path, value)

    def refuse(name):
        raise AssertionError(name)

    text = path.read_text(encoding="utf-8")
    expected = {"ap": None, "a": [0.5, [3, None]], "é": {"n": None, "t": True}}
    assert json.loads(text, parse_constant=refuse) == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["metrics.json"]
    write_json(path, [value, value])
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == [expected, expected]
    write_json(path, [])
    assert json.loads(path.read_text(encoding="utf-8")) == []
    write_json(path, summarize(FOUND, TRUTHS, NAMES))
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)["per_class"]["unicorn"]["ap50"] is None


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"old": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_read_whole_or_named(tmp_path):
    path = tmp_path / "some.bytes"
    path.write_bytes(bytes(range(256)) * 9)
    assert read_whole(path, "the file") == bytes(range(256)) * 9
    os.mkfifo(tmp_path / "pipe")
    # It says that it is regular; others of its folder wait for what the kernel has to say.
    kernels = [("/proc/version", "Not a regular file")] if os.path.ismount("/proc") else []
    for other, reason in (*kernels, ("none", "No such file"), ("pipe", "Not a regular file"), (".", "Is a directory")):
        with pytest.raises(InputError, match=rf": the file cannot be read: {reason}"):
            read_whole(tmp_path / other, "the file")


def test_entries_are_written_one_after_the_other_as_the_whole_list_is(tmp_path):
    for entries in ([], [{"a": 1, "b": [1.5, float("nan")]}], [{"id": n, "name": "ä"} for n in range(3)]):
        write_json(tmp_path / "whole.json", entries)
        write_json_entries(tmp_path / "parts.json", iter(entries))
        assert (tmp_path / "parts.json").read_bytes() == (tmp_path / "whole.json").read_bytes()

    def failing():
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_json_entries(tmp_path / "new.json", failing())
    assert sorted(os.listdir(tmp_path)) == ["parts.json", "whole.json"]


def test_a_file_that_no_memory_holds_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 43)  # sparse: it takes no room on the disk
    with pytest.raises(InputError, match=r"huge: the list cannot be read: its 8,192.0 GiB are more than half of the memory of"):
        read_whole(tmp_path / "huge", "the list")


def test_any_name_can_be_written_and_errors_have_it(tmp_path, monkeypatch):
    path = tmp_path / ("x" * 251 + ".txt")  # as long as a name may be
    write_text(path, "half a pair: \ud83d")
    assert path.read_bytes() == b"half a pair: \\ud83d"

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_bytes(path, b"")
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes()


def write_files(folder, **contents):
    for name, text in contents.items():
        (folder / name).write_text(text)


def read_files(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_set_appears_at_once(tmp_path, monkeypatch):
    out, seen = tmp_path / "made" / "set", []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda *paths: seen.append((out.exists(), read_files(paths[0]))) or rename(*paths))
    for _ in range(2):  # new, and empty
        with whole_set(out) as draft:
            write_files(draft, a="1", b="2")
            assert draft.parent == out.parent  # so that relative paths are the same
        assert read_files(out) == {"a": "1", "b": "2"} and list(out.parent.iterdir()) == [out]
        assert out.stat().st_mode & 0o777 == out.parent.stat().st_mode & 0o777
        for path in out.iterdir():
            path.unlink()
    assert [files for _, files in seen] == [{"a": "1", "b": "2"}] * 2


def test_a_set_among_other_files_is_none_without_the_last(tmp_path, monkeypatch):
    out, steps = tmp_path / "set", []
    out.mkdir()
    write_files(out, a="old", z="old", key="old", mine="!")
    rename = os.rename

    def watched(source, target):
        if target.parent == out:
            steps.append((target.name, "key" in read_files(out)))
        rename(source, target)

    monkeypatch.setattr(os, "rename", watched)
    with whole_set(out, last="key", old=lambda name: name in ("a", "z")) as draft:
        write_files(draft, key="new", a="new", b="new")
        assert read_files(out) == {"a": "old", "z": "old", "key": "old", "mine": "!"}
    assert read_files(out) == {"a": "new", "b": "new", "key": "new", "mine": "!"}
    assert steps == [("a", False), ("b", False), ("key", False)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EXDEV, "Invalid cross-device link")])
@pytest.mark.parametrize("failing", ["a", "b", "key"])
def test_after_a_failed_move_a_set_is_as_it_was(failing, error, tmp_path, monkeypatch):
    out, rename, failures = tmp_path / "set", os.rename, [error]
    out.mkdir()
    write_files(out, a="old", z="old", key="old", mine="!")

    def failing_once(source, target):
        if target == out / failing and failures:
            raise failures.pop()
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing_once)
    with (
        pytest.raises((KeyboardInterrupt, InputError)),
        whole_set(out, last="key", old=lambda name: name in ("a", "z")) as draft,
    ):
        write_files(draft, key="new", a="new", b="new")
    assert (
        not failures
        and read_files(out) == {"a": "old", "z": "old", "key": "old", "mine": "!"}
        and list(tmp_path.iterdir()) == [out]
    )


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    out = tmp_path / "set"
    (out / "report").mkdir(parents=True)
    write_files(out, key="old")
    message = f"^{out / 'report'} is a folder, where a file is to be written; move it, or name another folder$"
    with pytest.raises(InputError, match=message), whole_set(out, last="key", old=lambda name: False) as draft:
        write_files(draft, key="new", report="new")
    assert (out / "report").is_dir() and (out / "key").read_text() == "old"


def test_the_current_folder_and_the_mode_of_an_empty_one_stay(tmp_path, monkeypatch):
    here, shared = tmp_path / "here", tmp_path / "shared"
    here.mkdir()
    shared.mkdir(mode=0o750)
    monkeypatch.chdir(here)
    for out in (Path("."), shared):
        with whole_set(out) as draft:
            (draft / "images").mkdir()
            write_files(draft, key="1")
            assert draft.parent == tmp_path
    assert sorted(os.listdir(".")) == ["images", "key"] and shared.stat().st_mode & 0o777 == 0o750
    assert sorted(tmp_path.iterdir()) == [here, shared]


def test_a_folder_that_another_program_locks_is_not_waited_for_without_end(tmp_path, monkeypatch):
    pytest.importorskip("fcntl", reason="this system has no locks on folders")
    monkeypatch.setattr(files, "_LOCKED_SECONDS", 0.1)
    message = f"{tmp_path}: another program keeps it locked; end that"
    with folder_lock(tmp_path, wait=0), pytest.raises(InputError, match=message), whole_set(tmp_path, last="key") as draft:
        write_files(draft, key="1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_after_an_error_a_set_is_as_it_was(error, tmp_path):
    (tmp_path / "set").mkdir()
    write_files(tmp_path / "set", key="old")
    for out in (tmp_path / "set", tmp_path / "new" / "deep"):
        with pytest.raises((KeyboardInterrupt, InputError)) as caught, whole_set(out, last="key") as draft:
            write_files(draft, key="new")
            raise error
        assert not isinstance(error, OSError) or str(caught.value) == f"{out}: cannot be written: No space left on device"
    assert read_files(tmp_path / "set") == {"key": "old"} and [path.name for path in tmp_path.iterdir()] == ["set"]
    with pytest.raises(InputError, match=rf"^{out}/x\.png: is full"), whole_set(out) as draft:
        raise InputError(f"{draft}/x.png: is full")  # the user never saw the draft


def test_what_a_thread_writes_after_the_interrupt_goes_too(tmp_path):
    def write_on(draft, until=0.4):  # as the threads that save a checkpoint
        end = time.monotonic() + until
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                (draft / "deep").mkdir(parents=True, exist_ok=True)
                (draft / "deep" / "array").write_text("late")

    with pytest.raises(KeyboardInterrupt), whole_set(tmp_path / "new" / "set") as draft:
        thread = threading.Thread(target=write_on, args=(draft,))
        thread.start()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    thread.join()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bind", [False, True])
def test_a_mount_point_is_filled_from_inside(bind, tmp_path, monkeypatch):
    out = tmp_path / "is mounted"
    out.mkdir()
    if bind:  # which `os.path.ismount` does not see
        monkeypatch.setattr(files, "_MOUNTS", tmp_path / "mountinfo")
        point = str(out).replace(" ", "\\040")
        (tmp_path / "mountinfo").write_text(f"36 35 98:0 /a / rw - ext3 /dev/a rw\n40 36 98:0 /b {point} rw - ext3 /dev/a rw\n")
    else:
        monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == out)
    assert not beside(out) and beside(out / "new")
    with whole_set(out, last="key") as draft:
        assert draft.parent == out
        write_files(draft, key="1", a="2")
    assert read_files(out) == {"key": "1", "a": "2"}


def test_two_sets_at_once_do_not_mix(tmp_path):
    pytest.importorskip("fcntl", reason="this system has no locks on folders")
    out, begin = tmp_path / "set", threading.Barrier(2)
    out.mkdir()
    write_files(out, key="none")

    def work(text):
        for _ in range(20):
            with whole_set(out, last="key", old=lambda name: False) as draft:
                write_files(draft, key=text, **{f"f{n}": text for n in range(10)})
                begin.wait()

    threads = [threading.Thread(target=work, args=(text,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = read_files(out)
    assert len(files) == 11 and len(set(files.values())) == 1


@pytest.mark.parametrize(("last", "name"), [("", "other"), ("key", "a"), ("key", "key")])
def test_a_set_replaces_nothing_that_came_meanwhile(last, name, tmp_path):
    out = tmp_path / "set"
    with pytest.raises(InputError, match="set: another program has written there meanwhile"), whole_set(out, last) as draft:
        write_files(draft, a="1", key="2")
        out.mkdir()
        write_files(out, **{name: "first"})
    assert read_files(out) == {name: "first"} and list(tmp_path.iterdir()) == [out]
