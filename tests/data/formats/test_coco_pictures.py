"""Finding the pictures of a COCO file: by path, then under other forms of it; never two images in one file."""

import os
import unicodedata
from pathlib import Path

import pytest

from yolojax.data.formats.coco_pictures import find_pictures, picture_folders
from yolojax.data.formats.find import split_of_name


@pytest.fixture
def look(tmp_path):
    """Makes empty pictures and finds those of a COCO file: ({id: path from the folder}, [kinds])."""

    def run(pictures, file_names, path="result.json"):
        for picture in pictures:
            (tmp_path / picture).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / picture).touch()
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        problems = []
        found = find_pictures(tmp_path / path, dict(enumerate(file_names)), lambda *problem: problems.append(problem))
        assert all(message.startswith(f"{tmp_path / path}: image ") for _, message in problems)
        relative = [os.path.relpath(found[number], tmp_path) for number in range(len(file_names))]
        return relative, [kind for kind, _ in problems]

    return run


OTHER = "other form of name"


@pytest.mark.parametrize(
    ("file_name", "kinds"),
    [
        ("1/abc.jpg", []),
        ("images/1/abc.jpg", []),
        ("./images/1/abc.jpg", []),
        ("images\\1\\abc.jpg", [OTHER]),
        ("..\\set\\images\\1\\abc.jpg", [OTHER]),
        ("/images/1/abc.jpg", [OTHER]),
        ("/data/upload/1/abc.jpg", [OTHER]),
        ("../../label-studio/data/media/upload/1/abc.jpg", [OTHER]),
        ("project/images/1/abc.jpg", [OTHER]),
        ("C:\\Users\\me\\images\\1\\abc.jpg", [OTHER]),
        ("/data/local-files/?d=images/1/abc.jpg", [OTHER]),
        ("/data/local-files/?d=abc.jpg", [OTHER]),
        ("abc.jpg", [OTHER]),
    ],
)
def test_a_project_folder_that_is_not_there(look, file_name, kinds):
    assert look(["images/1/abc.jpg"], [file_name]) == (["images/1/abc.jpg"], kinds)


def test_unicode_and_slashes_together(look):
    name = unicodedata.normalize("NFD", "Bl\u00e4tter/Zell\u00e4.jpg")
    assert look([f"images/{name}"], ["/project/Bl\u00e4tter\\Zell\u00e4.jpg"]) == ([f"images/{name}"], [OTHER])


def test_of_several_files_of_a_name_the_one_that_shares_folders(look):
    pictures = ["images/1/abc.jpg", "images/2/abc.jpg"]
    assert look(pictures, ["/data/upload/2/abc.jpg", "/data/upload/1/abc.jpg"]) == (pictures[::-1], [OTHER] * 2)


@pytest.mark.parametrize("file_name", ["/x/abc.jpg", "/x/images/abc.jpg", "abc.jpg"])
def test_of_several_files_of_a_name_none_is_chosen_by_chance(look, file_name):
    _, kinds = look(["images/1/abc.jpg", "images/2/abc.jpg"], [file_name])
    assert kinds == ["missing picture"]


@pytest.mark.parametrize("more", [[], ["abc.jpg"]])
def test_one_file_is_not_taken_for_two_images(look, more):
    _, kinds = look(["images/abc.jpg"], ["/x/1/abc.jpg", "/x/2/abc.jpg", *more])
    assert kinds == ["missing picture"] * 2


def test_what_is_there_by_its_path_stays(look):
    found = look(["images/1/abc.jpg", "images/b.jpg"], ["1/abc.jpg", "2/abc.jpg", "b.jpg"])
    assert found == (["images/1/abc.jpg", "images/2/abc.jpg", "images/b.jpg"], ["missing picture"])


def test_linked_folders_and_the_same_file_twice(look, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "real/abc.jpg").touch()
    (tmp_path / "set/images").symlink_to(tmp_path / "real")
    (tmp_path / "set/again").symlink_to(tmp_path / "real")
    found, kinds = look([], ["/x/abc.jpg"], "set/a.json")
    assert kinds == [OTHER] and os.path.samefile(tmp_path / found[0], tmp_path / "real/abc.jpg")


def test_the_neighbours_of_a_data_set_are_not_searched(look):
    assert look(["other/1/abc.jpg", "set/b.jpg"], ["abc.jpg"], "set/a.json")[1] == ["missing picture"]
    assert look(["other/1/abc.jpg"], ["abc.jpg"], "annotations/a.json") == (["other/1/abc.jpg"], [OTHER])


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("annotations/instances_train2017.json", "train2017"),
        ("annotations/instances_train2017.json", "images/train2017"),
        ("annotations/instances_train2017.json", "images"),
        ("annotations/instances_train2017.json", "train"),
        ("annotations/train.json", "train2017"),
        ("annotations/train.json", "images/train2017"),
        ("annotations/train.json", "images"),
        ("annotations/valid.json", "val"),
        ("annotations/instances_default.json", "images/default"),
        ("annotations/instances_default.json", "images"),
        ("annotations/instances_Train.json", "images/Train"),
        ("train/_annotations.coco.json", "train"),
        ("result.json", "images"),
        ("labels.json", "data"),
        ("train/labels.json", "train/data"),
        ("train.json", "train"),
        ("train.json", "images/train"),
    ],
)
def test_usual_folders(look, path, folder):
    pictures = [f"{folder}/a.jpg", f"{folder}/b.jpg"]
    assert look([*pictures, "val2014/a.jpg", "images/val2014/a.jpg"], ["a.jpg", "b.jpg"], path) == (pictures, [])


def test_two_years_are_two_splits(tmp_path):
    for name in ("train2014", "train2017", "val2017"):
        (tmp_path / "images" / name).mkdir(parents=True)
    folders = picture_folders(tmp_path / "annotations/instances_train2014.json")
    names = [str(Path(folder).relative_to(tmp_path)) for folder in folders]
    assert names == ["annotations", "images/train2014", "images", "."]


@pytest.mark.parametrize(
    ("name", "split"),
    [("instances_val2017", "val"), ("bccd-valid", "val"), ("Train", "train"), ("trainval", None), ("train_val", None),
     ("result", None), ("testing 2", "test"), ("latest", None)],
)  # fmt: skip
def test_words_for_splits(name, split):
    assert split_of_name(name) == split
