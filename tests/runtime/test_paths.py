"""Absolute paths, which lead where the system's do."""

import os

import pytest

from yolojax.runtime.paths import absolute


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, in which `link` leads to other/deep elsewhere."""
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "other" / "deep")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize("path", ["a", "./a/", "../a", "a/../b", ".", "..", "link", "link/a", "cells:train", "/a//b/../c"])
def test_where_no_link_comes_before_two_dots_it_is_the_usual_one(here, path):
    assert absolute(path) == os.path.abspath(path)


@pytest.mark.parametrize(
    "path", ["link/../a", "link/../deep/a", "link/..", "link/../deep/..", "link/../x/../a", "link/../c:val"]
)
def test_two_dots_lead_back_from_where_a_link_leads(here, path):
    (here.parent / "other" / "x").mkdir()
    for name in ("a", "deep/a", "c:val"):
        (here.parent / "other" / name).touch()
    assert absolute(path) == os.path.realpath(path) and os.path.samefile(absolute(path), path)


def test_a_link_in_the_last_part_stays_and_two_slashes_are_one(here):
    (here.parent / "other" / "last").symlink_to("nowhere")
    assert absolute("link/../last") == str(here.parent / "other" / "last")
    assert absolute("//a/b") == "/a/b"
