"""Where pictures are looked for, and what is said of those that are not there."""

import pytest

from tests.helpers.reading import write, write_pictures
from yolojax.data.formats.find import split_of_name
from yolojax.data.formats.locate import locate_pictures, picture_folders


@pytest.mark.parametrize(
    "name, split",
    [
        ("train", "train"),
        ("train_labels", "train"),
        ("Validation-annotations-bbox", "val"),
        ("labels.valid", "val"),
        ("test2", "test"),
    ]
    + [("trainval", None), ("train_val", None), ("labels", None), ("contest", None), ("", None)],
)
def test_splits_in_names(name, split):
    assert split_of_name(name) == split


def test_folders(tmp_path):
    for folder in ("data/images/val", "data/Valid", "images/validation", "data/other", "test"):
        (tmp_path / folder).mkdir(parents=True)
    file = write(tmp_path / "data/val_labels.csv", "")
    found = [str(folder.relative_to(tmp_path)) for folder in picture_folders(file) if folder.is_dir()]
    assert found == ["data", "data/Valid", "data/images/val", "images/validation", "data/images", "images"]


def test_pictures(tmp_path):
    write_pictures(tmp_path, "one/a.jpg", "two/a.jpg", "two/b.png", "two/c.v2.jpg")
    said = []
    names = ("a.jpg", "b", "c.v2", "D:\\x\\b.png", "absent.jpg")
    paths = locate_pictures(
        {name: f"list:{number}" for number, name in enumerate(names, 1)},
        [tmp_path / "one", tmp_path / "two"],
        lambda kind, message: said.append((kind, message)),
    )
    assert paths["a.jpg"] == f"{tmp_path}/one/a.jpg" and paths["b"] == f"{tmp_path}/two/b.png"
    assert paths["c.v2"] == f"{tmp_path}/two/c.v2.jpg" and paths["absent.jpg"] == f"{tmp_path}/one/absent.jpg"
    assert said == [
        ("missing picture", f"list:4: there is no picture D:\\x\\b.png, and {tmp_path}/two/b.png is already the picture b"),
        ("missing picture", f"list:5: there is no picture absent.jpg in any of {tmp_path}/one, {tmp_path}/two"),
    ]
