"""Lists of classes beside tables."""

from tests.helpers.reading import write
from yolojax.data.formats.table_classes import display_names, listed_classes
from yolojax.data.problems import refuse


def test_classes_are_listed_by_their_ids(tmp_path):
    write(tmp_path / "two/class_map.csv", "name,id\ndog,7\ncat,3\n")
    write(tmp_path / "two/aclass.csv", "something,else,here\n")
    assert listed_classes([tmp_path / "absent", tmp_path / "two"], refuse) == ["cat", "dog"]
    assert listed_classes([tmp_path], refuse) is None


def test_what_cannot_be_used_is_named(tmp_path):
    path = write(tmp_path / "classes.csv", "dog,0\ndog,1\ncat,0\n,2\ncow,3\n")
    said = []
    assert listed_classes([tmp_path], lambda kind, message: said.append(message)) == ["dog", "cow"]
    assert [message.split(": ")[0] for message in said] == [f"{path}:{line}" for line in (2, 3, 4)]
    assert listed_classes([tmp_path], lambda *_: None) == ["dog", "cow"]
    write(path, b"\xff,0\n")
    assert listed_classes([tmp_path], refuse) is None
    write(path, "dog," + "9" * 5000)
    assert listed_classes([tmp_path], refuse) is None


def test_display_names(tmp_path):
    write(tmp_path / "class-descriptions-boxable.csv", '/m/01,Dog\n/m/02,"Cat, large"\nodd\n')
    assert display_names(tmp_path) == {"/m/01": "Dog", "/m/02": "Cat, large"} and display_names(tmp_path / "absent") == {}
