"""Lists, cameras and standard input; pictures, folders and globs are in detection/test_run.py."""

import os
from pathlib import Path

import pytest

from yolojax.data.pictures import find_sources, is_video, paths_of
from yolojax.errors import InputError


def test_a_list_has_one_path_a_line_relative_to_its_folder(tmp_path, monkeypatch):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "all.txt").write_bytes("\ufeffa b.png\r\n\r\n  ../é.jpg \nfilm.mp4\n/far/c.png\na b.png\n".encode())
    monkeypatch.chdir(tmp_path)
    folder = Path("lists")
    expected = [folder / "a b.png", folder / "../é.jpg", folder / "film.mp4", Path("/far/c.png")]
    assert find_sources(["lists/all.txt"]) == expected


def test_the_boxes_of_a_training_list_are_passed_over(tmp_path):
    (tmp_path / "train.txt").write_text("street 1.jpg 48,240,195,371,0 8.5,12,352,498,1\nempty 2,3.jpg\nx.png 1,2,3,4,5 \n")
    assert [path.name for path in find_sources([tmp_path / "train.txt"])] == ["street 1.jpg", "empty 2,3.jpg", "x.png"]


def test_an_empty_list_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(InputError, match=r"empty\.txt: no path in this list"):
        find_sources([tmp_path / "empty.txt"])


def test_a_number_is_a_camera_unless_a_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_sources(["0", "12", "0"]) == [0, 12]
    (tmp_path / "12").write_bytes(b"")
    assert find_sources(["12", "-", "-"]) == [Path("12"), "-"]
    with pytest.raises(InputError, match="99999: there is no such"):
        find_sources(["99999"])


def test_what_a_video_is():
    assert [is_video(source) for source in (0, Path("a.MP4"), Path("a.avi"), Path("a.png"), Path("mp4"), "-")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_paths_are_there_as_soon_as_their_line_is():
    reading, writing = os.pipe()
    paths = paths_of(reading)
    os.write(writing, b"a b.png\n")
    assert next(paths) == Path("a b.png")
    os.write(writing, b"\r\nsecond.png\r\nthi")
    assert next(paths) == Path("second.png")
    os.write(writing, b"rd \xe9.png")
    os.close(writing)
    assert os.fsencode(next(paths)) == b"third \xe9.png"
    assert next(paths, None) is None
    os.close(reading)


def test_paths_that_no_file_can_have(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "list.txt").write_text("a.png\ncircle/b.png\n")
    assert [path.name for path in find_sources([tmp_path / "list.txt"])] == ["a.png", "b.png"]
    (tmp_path / "print0.txt").write_bytes(b"a.png\0b.png\0")
    with pytest.raises(InputError, match=r"print0\.txt:1: a path cannot have a NUL byte; write one path a line"):
        find_sources([tmp_path / "print0.txt"])


@pytest.mark.parametrize(("content", "message"), [(b"a.png\0b.png\0", "NUL byte"), (b"x" * 70_000, "of more than 65536 bytes")])
def test_standard_input_that_is_no_list_of_paths_is_refused(tmp_path, content, message):
    (tmp_path / "list").write_bytes(b"first.png\n" + content)
    with open(tmp_path / "list", "rb") as file:
        paths = paths_of(file.fileno())
        assert next(paths) == Path("first.png")
        with pytest.raises(InputError, match=f"^standard input has a line .*{message}; write one path a line"):
            next(paths)
