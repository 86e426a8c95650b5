import os
import time

import pytest

from yolojax.runtime.drafts import FILE_SECONDS, draft_name, draft_of, is_draft, remove_left_behind
from yolojax.runtime.files import whole_set


def test_what_a_killed_program_left_behind_goes(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="this system has no locks on folders")
    dead, alive, young = (tmp_path / f".yolojax.{letter * 12}.tmp" for letter in "abc")
    for folder in (dead, alive, young):
        folder.mkdir()
        (folder / "a").write_text("1")
    for folder in (dead, alive):
        os.utime(folder, (0, 0))
    descriptor = os.open(alive, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with whole_set(tmp_path / "set") as draft:
        (draft / "b").write_text("2")
    os.close(descriptor)
    assert {path.name for path in tmp_path.iterdir()} == {alive.name, young.name, "set"}


def test_draft_files_of_days_ago_go_and_nothing_else(tmp_path):
    old, slow, users, link = (tmp_path / name for name in (draft_name(), draft_name(), ".yolojax.notes.tmp", draft_name()))
    video = draft_of(tmp_path / "v.mp4")
    assert video.suffix == ".mp4" and is_draft(video)
    for path in (old, slow, users, video):
        path.write_text("x")
        os.utime(path, (0, 0))
    link.symlink_to(users)
    os.utime(link, (0, 0), follow_symlinks=False)
    os.utime(slow, (time.time() - FILE_SECONDS / 2,) * 2)
    remove_left_behind(tmp_path)
    remove_left_behind(tmp_path / "missing")
    assert {path.name for path in tmp_path.iterdir()} == {slow.name, users.name, link.name}
