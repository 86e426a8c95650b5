"""Marks on outputs: what a command wrote may be replaced, what is the user's may not."""

import os
import shutil

import pytest

from yolojax.errors import InputError
from yolojax.runtime.files import write_bytes, write_text
from yolojax.runtime.marks import FOLDER, is_own_output, mark_output, refuse_to_replace


def refused(*_arguments):
    raise OSError(95, "Operation not supported")


@pytest.fixture(params=["attributes", "refused", "missing"])
def attributes(request, monkeypatch):
    """With extended attributes; on a file system without them; on a system without them."""
    if request.param == "attributes" and not hasattr(os, "setxattr"):
        pytest.skip("this system has no extended attributes")
    for name in ("setxattr", "getxattr"):
        if request.param == "refused":
            monkeypatch.setattr(os, name, refused, raising=False)
        elif request.param == "missing":
            monkeypatch.delattr(os, name, raising=False)
    return request.param


def later(path):
    """Has the clock of a file go on, which in a test may stand still between two writes."""
    changed = os.stat(path).st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(changed, changed))


def test_an_output_is_known_until_it_is_changed(tmp_path, attributes):
    path = tmp_path / "ö [1]?.txt"
    for text in ("first", "second"):
        write_text(path, text, marked=True)
        assert is_own_output(path) and refuse_to_replace(path) is None
    path.write_text("edited")
    later(path)
    assert not is_own_output(path)
    with pytest.raises(
        InputError, match=r"exists, and is not marked as an unchanged output of an earlier run; move it, or name"
    ):
        refuse_to_replace(path)
    write_text(path, "not marked")
    assert not is_own_output(path)
    assert (attributes == "attributes") == (not (tmp_path / FOLDER).exists())


def test_what_is_no_output(tmp_path, attributes):
    mine, own = tmp_path / "mine.png", tmp_path / "own.png"
    mine.write_bytes(b"mine")
    write_bytes(own, b"drawn", marked=True)
    later(own)
    os.symlink(mine, tmp_path / "link.png")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling.png")
    os.symlink(tmp_path, tmp_path / "folder.png")
    for path in (mine, own, *(tmp_path / f"{name}.png" for name in ("link", "dangling", "folder"))):
        with pytest.raises(InputError):
            refuse_to_replace(path)
    refuse_to_replace(tmp_path / "new.png")
    refuse_to_replace(tmp_path)  # a folder, which no rename of a file replaces


def test_a_file_is_marked_for_the_name_it_will_get(tmp_path, attributes):
    draft = tmp_path / ".yolojax.0123456789ab.tmp.png"
    write_bytes(draft, b"drawn", marked=True)
    mark_output(draft, tmp_path / "a.png")
    os.replace(draft, tmp_path / "a.png")
    assert is_own_output(tmp_path / "a.png")
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path, moved, ignore=lambda *_: ["moved"])  # with times and, where they exist, attributes
    assert is_own_output(moved / "a.png")
    if (tmp_path / FOLDER).exists():
        assert os.listdir(tmp_path / FOLDER) == ["a.png"]


def test_a_file_that_cannot_be_marked_is_written_all_the_same(tmp_path, attributes):
    (tmp_path / FOLDER).write_text("in the way")
    write_text(tmp_path / "a.txt", "text", marked=True)
    assert (tmp_path / "a.txt").read_text() == "text"
    assert is_own_output(tmp_path / "a.txt") == (attributes == "attributes")
