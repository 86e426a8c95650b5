"""Files of class names: what is read, what is refused with file and line, and the way there and back."""

import pytest

from yolojax.data.formats.names import check_names, read_names, write_names
from yolojax.errors import InputError


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_names(tmp_path):
    assert read_names(write(tmp_path / "n", "cat\nsea lion \n\n \n")) == ("cat", "sea lion")
    assert read_names(write(tmp_path / "n", b"\xef\xbb\xbfcat\r\nhund\xc3\xa9\r\n")) == ("cat", "hund\u00e9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no class names"),
        ("\n\n", "no class names"),
        ("cat\n\ndog\n", ":2: an empty line"),
        ("cat\ndog\ncat\n", ":3: 'cat' is already the name on line 1"),
        (b"cat\n\xff\xfe\n", "not UTF-8"),
    ],
)
def test_names_refused(tmp_path, text, message):
    path = write(tmp_path / "n.names", text)
    with pytest.raises(InputError, match=message) as caught:
        read_names(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_there_and_back(tmp_path):
    write_names(tmp_path / "n", ("cat", "sea lion", "gr\u00f6\u00dfer"))
    assert read_names(tmp_path / "n") == ("cat", "sea lion", "gr\u00f6\u00dfer")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt: cannot be read: No such file"):
        read_names(tmp_path / "absent.txt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data.yaml", r"YAML; a YOLO data set brings its own names \(leave out --names\), not a file of class names"),
        ("data.YML", "YAML; "),
        ("obj.data", "a Darknet data set; its own line 'names = FILE' says where they are"),
        ("a.json", "JSON, not a file of class names; write one per line"),
        ("a.xml", "XML, not a file of class names"),
        ("map.pbtxt", "a label map of TensorFlow, not a file of class names"),
    ],
)
def test_files_that_hold_something_else_are_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=rf"{name}: {message}"):
        read_names(write(tmp_path / name, "names: [cat]\n"))


def test_a_million_names_are_checked_in_time_that_grows_with_their_number():
    names = [f"n{number}" for number in range(1_000_000)]
    assert check_names(names, "here") == tuple(names)
    with pytest.raises(InputError, match="'n7' is the name of two classes"):
        check_names([*names, "n7"], "here")
