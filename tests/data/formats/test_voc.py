"""Pascal VOC folders: what is read, and what is refused with file and line."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yolojax.data.formats.read import read_annotations, splits
from yolojax.errors import InputError

CAT = (
    "<object>\n<name> cat </name>\n<bndbox>\n<xmin>1</xmin><ymin>2.5</ymin><xmax>30</xmax>\n<ymax>4e1</ymax></bndbox></object>"
)
DOG = CAT.replace(" cat ", "dog").replace("<bndbox>", "<difficult>1</difficult><bndbox>")


def annotation(*objects, size="<size><width>0</width><height>0</height><depth>0</depth></size>", filename=""):
    return f"<annotation><filename>{filename}</filename>{size}\n{''.join(objects)}</annotation>"


@pytest.fixture
def voc(tmp_path):
    """Writes a VOC folder of annotations by ID, and of splits; every picture is an empty file."""

    def make(annotations, **members):
        folder = tmp_path / "voc"
        for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in annotations.items():
            (folder / f"Annotations/{name}.xml").write_bytes(text.encode() if isinstance(text, str) else text)
            (folder / f"JPEGImages/{name}.jpg").touch()
        for split, names in members.items():
            (folder / f"ImageSets/Main/{split}.txt").write_text("\n".join(names))
        return folder

    return make


def test_boxes_difficult_and_negatives(voc):
    folder = voc({"a 1": annotation(CAT, DOG), "b": annotation()}, train=["a 1", "b", ""], val=["b"])
    names, records, problems = read_annotations(folder, "train")
    assert names == ("cat", "dog") and problems == []
    first, second = records
    assert first.path == str(folder / "JPEGImages/a 1.jpg") and first.source == str(folder / "Annotations/a 1.xml")
    np.testing.assert_array_equal(first.boxes, np.array([[1, 2.5, 30, 40]] * 2, np.float32))
    assert first.boxes.dtype == np.float32 and first.classes.dtype == np.int32
    assert first.classes.tolist() == [0, 1] and first.difficult.tolist() == [False, True] and not first.crowd.any()
    assert second.boxes.shape == (0, 4) and second.difficult.shape == second.crowd.shape == (0,)
    assert [record.path for record in read_annotations(f"{folder}:val").records] == [second.path]
    assert [record.path for record in read_annotations(f"{folder}:val", "train").records] == [second.path]
    assert len(read_annotations(folder).records) == 2
    assert splits(folder) == ("train", "val")


def test_every_split_counts_the_same_classes(voc):
    folder = voc({"a": annotation(CAT), "b": annotation(DOG)}, train=["a"], val=["b"])
    assert read_annotations(folder, "val").names == ("cat", "dog")
    assert read_annotations(folder, "val").records[0].classes == [1]
    given = read_annotations(folder, "val", names=("dog", "cat"))
    assert given.names == ("dog", "cat") and given.records[0].classes == [0]


def test_boxes_without_area_are_left_out_and_listed(voc):
    flat = CAT.replace("<xmax>30", "<xmax>1")
    _names, records, problems = read_annotations(voc({"a": annotation(CAT, flat)}))
    assert len(records[0].boxes) == 1
    assert [line.rpartition("/")[2] for _kind, line in problems] == ["a.xml:8: box 1,2.5,1,40 has no area"]


def test_pictures_of_other_endings_and_names(voc):
    folder = voc({"a": annotation(CAT), "b": annotation(CAT, filename="other.png"), "c": annotation(CAT, filename="c.png")})
    (folder / "JPEGImages/a.jpg").rename(folder / "JPEGImages/a.bmp")
    (folder / "JPEGImages/b.jpg").rename(folder / "JPEGImages/other.png")
    (folder / "JPEGImages/c.png").touch()
    assert [record.path.rpartition("/")[2] for record in read_annotations(folder).records] == ["a.bmp", "other.png", "c.png"]


def test_parts_have_names_of_their_own(voc):
    person = CAT.replace("</object>", "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>")
    names, (record,), _ = read_annotations(voc({"a": annotation(person)}))
    assert names == ("cat",) and record.boxes.tolist() == [[1, 2.5, 30, 40]]


def test_lists_of_single_classes_are_no_splits(voc):
    folder = voc({"a": annotation(CAT), "a 1": annotation()}, train=["a 1"], cat_train=["a  1"], my_val=["a"])
    assert splits(folder) == ("my_val", "train")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(voc, encoding):
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>' + annotation(CAT.replace("cat", "k\u00e4fer"))
    assert read_annotations(voc({"a": text.encode(encoding)})).names == ("k\u00e4fer",)


BOMB = '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>\n<annotation>&c;</annotation>'
REFUSED = {
    "entities": (BOMB, r"a\.xml:2: the file has a DTD"),
    "external entity": ('<!DOCTYPE a SYSTEM "http://nowhere.invalid/a.dtd">\n<annotation/>', r"a\.xml:1: the file has a DTD"),
    "unknown entity": (annotation("&who;"), r"a\.xml:2: malformed XML: undefined entity"),
    "cut": (annotation(CAT)[:-30], r"a\.xml:\d+: malformed XML"),
    "empty": ("", r"a\.xml:1: malformed XML: no element found"),
    "encoding": (b'<?xml version="1.0" encoding="gb2312"?><annotation/>', r"a\.xml"),
    "no name": (annotation(CAT.replace("<name> cat </name>", "")), r"a\.xml:2: the object has no name"),
    "empty name": (annotation(CAT.replace(" cat ", " ")), r"a\.xml:2: the object has no name"),
    "deep": ("<a>" * 300_000, r"a\.xml:1: malformed XML"),
    "no bndbox": (annotation("\n<object><name>cat</name></object>"), r"a\.xml:3: the object has no bndbox"),
    "no side": (annotation(CAT.replace("ymax", "top")), r"a\.xml:4: the bndbox has no ymax"),
    "no number": (annotation(CAT.replace("4e1", "forty")), r"a\.xml:6: ymax 'forty' is not a number"),
    "not finite": (annotation(CAT.replace("4e1", "nan")), r"a\.xml:4: box 1,2\.5,30,nan is larger"),
    "inverted": (annotation(CAT.replace("4e1", "2")), r"a\.xml:4: box 1,2\.5,30,2 is inverted"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_file_and_line(voc, case):
    text, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(voc({"a": text}))
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(voc, tmp_path):
    folder = voc({"a": annotation(CAT), "b": annotation()}, train=["a", "absent"], none=[])
    for split, message in (
        ("train", r"train\.txt:2: there is no .*absent\.xml"),
        ("test", r"test\.txt: there is no such split \(there are: none, train\)"),
        ("none", r"none\.txt: the split is empty"),
    ):
        with pytest.raises(InputError, match=message):
            read_annotations(folder, split)
    with pytest.raises(InputError, match=r"a\.xml:2: there is no class 'cat'; the names are cow, dog"):
        read_annotations(folder, names=("cow", "dog"))
    (folder / "ImageSets/Main/long.txt").write_text("x" * 300)
    with pytest.raises(InputError, match=r"long\.txt:1: there is no .*x\.xml"):
        read_annotations(folder, "long")
    with pytest.raises(InputError, match="there is no such split"):
        read_annotations(folder, "x" * 300)
    (folder / "JPEGImages/b.jpg").unlink()
    with pytest.raises(InputError, match=r"b\.xml: there is no picture .*b\.jpg"):
        read_annotations(folder)
    (folder / "Annotations/b.xml").write_text(annotation(filename="x" * 300))
    with pytest.raises(InputError, match=r"b\.xml: there is no picture .*x"):
        read_annotations(folder)
    (tmp_path / "empty/Annotations").mkdir(parents=True)
    with pytest.raises(InputError, match=r"Annotations: there are no \.xml files"):
        read_annotations(tmp_path / "empty")
    with pytest.raises(InputError, match="Annotations: no class names"):
        read_annotations(voc({"a": annotation(), "b": annotation()}))


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_one_line(voc, data):
    text = bytearray(annotation(CAT, DOG).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    folder = voc({"a": bytes(text)})
    try:
        names, (record,), _problems = read_annotations(folder)
    except InputError as error:
        assert "\n" not in str(error) and "voc/Annotations" in str(error)
    else:
        assert (record.boxes[:, 2:] > record.boxes[:, :2]).all() and set(record.classes.tolist()) <= set(range(len(names)))


def test_blood_cells(real_data):
    counts = {}
    for split in (None, "train", "val", "test"):
        names, records, problems = read_annotations(real_data / "bccd", split)
        assert names == ("Platelets", "RBC", "WBC")
        counts[split] = (len(records), sum(len(record.boxes) for record in records) + len(problems), len(problems))
        if split is None:
            classes = np.concatenate([record.classes for record in records])
            # grep -h '<name>' Annotations/*.xml | sort | uniq -c, less the two without area, which are red cells.
            assert np.bincount(classes).tolist() == [361, 4119 + 36 - 2, 372]
    assert counts[None] == (364, 4888, 2)
    assert [counts[split][0] for split in ("train", "val", "test")] == [205, 87, 72]
    assert sum(counts[split][1] for split in ("train", "val", "test")) == 4888
