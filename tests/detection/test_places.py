"""Names for outputs that never meet, and that are nobody else's files."""

import os
from itertools import permutations
from pathlib import Path

import pytest

from yolojax.detection.places import Places
from yolojax.errors import InputError
from yolojax.runtime.files import write_text
from yolojax.runtime.marks import is_own_output


def test_frames_of_a_video_and_pictures_called_like_them_do_not_meet(tmp_path):
    sources = [(Path("a/film.avi"), True), (Path("b/film-000003.png"), False), (Path("b/FILM-000004.jpg"), False)]
    for order in permutations(sources):
        places = Places(tmp_path)
        stems = {path: places.stem(path, video=video) for path, video in order}
        film = stems[Path("a/film.avi")]
        files = [f"{film}-{number:06}" for number in range(1_000_000, 1_000_005)] + [f"{film}-{n:06}" for n in range(9)]
        files += [stem for path, stem in stems.items() if path.suffix != ".avi"]
        assert len({name.lower() for name in files}) == 16


def test_a_file_that_was_there_is_replaced_at_the_end_where_sources_may_still_come(tmp_path):
    for name in ("late.png", "old.png"):
        write_text(tmp_path / name, "there before", marked=True)
    places = Places(tmp_path, more_to_come=True)
    for name in ("late", "old", "new"):
        places.place(places.drawing(Path(f"in/{name}.png"))).write_text("drawn")
    assert (tmp_path / "new.png").read_text() == "drawn"
    assert (tmp_path / "late.png").read_text() == (tmp_path / "old.png").read_text() == "there before"
    places.protect(tmp_path / "late.png")
    (error,) = places.release()
    assert str(error).startswith(f"{tmp_path}/late.png is a source")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "late.png": "there before", "old.png": "drawn", "new.png": "drawn",
    }  # fmt: skip
    assert is_own_output(tmp_path / "old.png")


def test_what_is_not_released_is_removed(tmp_path):
    write_text(tmp_path / "old.png", "there before", marked=True)
    places = Places(tmp_path, more_to_come=True)
    places.place(places.drawing(Path("in/old.png"))).write_text("drawn")
    places.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"] and places.release() == []


def test_an_open_file_is_protected_by_its_number(tmp_path):
    (tmp_path / "list.txt").write_text("a.png")
    places = Places(tmp_path)
    descriptor = os.open(tmp_path / "list.txt", os.O_RDONLY)
    places.protect(descriptor)
    os.close(descriptor)
    for missing in (987654, ".", "..", "*.png", "", "nowhere.png"):
        places.protect(missing)
    with pytest.raises(InputError, match=r"list\.txt is a source"):
        places.place(tmp_path / "list.txt")


def test_only_outputs_of_earlier_runs_are_replaced(tmp_path):
    write_text(tmp_path / "own.png", "drawn", marked=True)
    (tmp_path / "mine.png").write_text("mine")
    for more_to_come in (False, True):
        places = Places(tmp_path, more_to_come=more_to_come)
        places.place(tmp_path / "own.png")
        places.place(tmp_path / "new.png")
        with pytest.raises(InputError, match=r"mine\.png exists, and is not marked .*; move it, or name another --out"):
            places.place(tmp_path / "mine.png")


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "detections.json").mkdir()
    with pytest.raises(InputError, match=r"detections\.json is a folder, and a file is to be written there; move it"):
        Places(tmp_path).check(tmp_path / "detections.json")
