"""Finding files under other forms of their name, and pictures in folders."""

import os
import unicodedata

import pytest

from yolojax.data.formats.find import find_file, is_hidden, pictures_in, standard_split, walk


def test_a_file_under_its_own_name_is_no_remark(tmp_path):
    (tmp_path / "a.jpg").touch()
    said = []
    assert find_file(tmp_path / "a.jpg", "list.txt:1", lambda *p: said.append(p)) == str(tmp_path / "a.jpg")
    assert find_file(tmp_path / "b.jpg", "list.txt:2", lambda *p: said.append(p)) == str(tmp_path / "b.jpg")
    assert said == []


@pytest.mark.parametrize("written, stored", [("NFC", "NFD"), ("NFD", "NFC")])
def test_unicode_forms_of_folder_and_file(tmp_path, written, stored):
    folder, name = "Gr\u00fcn", "Zell\u00e4.jpg"
    path = tmp_path / unicodedata.normalize(stored, folder) / unicodedata.normalize(stored, name)
    path.parent.mkdir()
    path.touch()
    said = []
    wanted = os.path.join(tmp_path, unicodedata.normalize(written, folder), unicodedata.normalize(written, name))
    assert find_file(wanted, "a.json: image 3", lambda *p: said.append(p)) == str(path)
    assert [kind for kind, _ in said] == ["other form of name"] and said[0][1].startswith("a.json: image 3: ")


def test_backslashes(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").touch()
    said = []
    assert find_file(f"{tmp_path}/images\\a.jpg", "x:1", lambda *p: said.append(p)) == f"{tmp_path}/images/a.jpg"
    assert len(said) == 1


def test_pictures_in_linked_folders_each_real_folder_once(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "set/day").mkdir(parents=True)
    (tmp_path / "store/b.PNG").touch()
    (tmp_path / "set/day/a.jfif").touch()
    os.symlink("../store", tmp_path / "set/linked")
    os.symlink("../set", tmp_path / "set/loop")
    said = []
    assert pictures_in(tmp_path / "set", lambda *p: said.append(p)) == [
        tmp_path / "set/day/a.jfif",
        tmp_path / "set/linked/b.PNG",
    ]
    assert pictures_in(tmp_path / "set", lambda *p: said.append(p), into=False) == []
    assert said == []


def test_folders_of_the_kernel_are_not_entered(tmp_path):
    # /proc/self/root is the whole disk.
    (tmp_path / "a.jpg").touch()
    os.symlink("/proc/self", tmp_path / "linked")
    assert list(walk(tmp_path, lambda *_: None)) == [tmp_path / "a.jpg"]
    if os.path.ismount("/proc"):
        assert list(walk("/proc/self", lambda *_: None)) == []


def test_hidden_files_and_unread_formats_are_said(tmp_path):
    for name in ("a.jpg", "._a.jpg", ".DS_Store", "Thumbs.db", "b.heic", "notes.txt"):
        (tmp_path / name).touch()
    said = []
    assert pictures_in(tmp_path, lambda *p: said.append(p)) == [tmp_path / "a.jpg"]
    assert sorted(kind for kind, _ in said) == ["hidden file"] * 3 + ["unknown picture format"]
    assert [path.name for path in walk(tmp_path, lambda *_: None)] == ["a.jpg", "b.heic", "notes.txt"]
    assert is_hidden("x/__MACOSX") and not is_hidden("x/a.jpg")


@pytest.mark.parametrize("name, split", [("Valid", "val"), ("training", "train"), ("test", "test"), ("images", None)])
def test_names_of_splits(name, split):
    assert standard_split(name) == split


def test_a_folder_is_listed_once_for_all_names_and_anew_when_it_changes(tmp_path, monkeypatch):
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or listdir(path))
    names = [f"caf\u00e9{number}.png" for number in range(20)]
    for name in names:
        (tmp_path / unicodedata.normalize("NFD", name)).touch()
    for name in names:
        assert os.path.isfile(find_file(str(tmp_path / name), "list", lambda *_: None))
    assert len(listed) <= 1
    (tmp_path / unicodedata.normalize("NFD", "\u00e9.png")).touch()
    os.utime(tmp_path, (1, 1))
    assert os.path.isfile(find_file(str(tmp_path / "\u00e9.png"), "list", lambda *_: None))
