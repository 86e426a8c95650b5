"""Which format a path is taken for, what is said of one that is none, and splits behind a colon."""

import pytest

from yolojax.data.formats.read import read_annotations, read_data, recognise, split_of, splits
from yolojax.errors import InputError


def test_formats_are_recognised(tmp_path):
    for folder in ("voc/Annotations", "yolo", "other"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("yolo/data.yaml", "a.json", "B.JSON", "a.yml", "list.txt", "list"):
        (tmp_path / file).touch()
    forms = {name: recognise(tmp_path / name) for name in ("voc", "yolo", "a.json", "B.JSON", "a.yml", "list.txt", "list")}
    assert list(forms.values()) == ["voc", "yolo", "coco", "coco", "yolo", "text", "text"]
    assert splits(tmp_path / "a.json") == splits(tmp_path / "list.txt") == ()
    with pytest.raises(InputError, match=r"other: .* an empty folder\. .*Annotations/.*data\.yaml"):
        recognise(tmp_path / "other")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"a.jpg\n", b"a b.PNG\n", b"sub\\a.tiff 1,2,3,4,0\n", b"a 1,2,3,4,0\n", b"# mine\na.jpg\n",
     b"\xef\xbb\xbfa.jpg\r\n",
     b"gr\xf6\xdfe.jpg 1,2,3,4,0\n", b"BM.jpg\n", b"GIF8.jpg\n"],
)  # fmt: skip
def test_what_can_be_a_text_list_is_one(tmp_path, content):
    (tmp_path / "list").write_bytes(content)
    assert recognise(tmp_path / "list") == "text"


def test_the_split_behind_a_colon(tmp_path):
    for name in ("voc", "odd:name"):
        (tmp_path / name).mkdir()
    assert split_of(tmp_path / "voc") == (str(tmp_path / "voc"), None)
    assert split_of(f"{tmp_path}/voc:my split") == (str(tmp_path / "voc"), "my split")
    assert split_of(f"{tmp_path}/odd:name") == (f"{tmp_path}/odd:name", None)
    assert split_of(f"{tmp_path}/odd:name:val") == (f"{tmp_path}/odd:name", "val")
    for missing in ("absent", "absent:train", "voc:", ":train", ""):
        with pytest.raises(InputError, match=f"^{missing}: there is no such file or folder$"):
            split_of(missing)


def test_text_lists(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.txt").write_text("a.jpg 1,2,3,4,0\n")
    names, (record,), problems = read_annotations(tmp_path / "list.txt", "train", names=["cat"])
    assert names == ("cat",) and problems == [] and record.boxes.tolist() == [[1, 2, 3, 4]]
    with pytest.raises(InputError, match=r"list\.txt: a text list has no class names; .* \(--names, or config\.data\.names\)"):
        read_annotations(tmp_path / "list.txt")
    with pytest.raises(InputError, match=r"list\.txt has no splits; leave out :train"):
        read_annotations(f"{tmp_path}/list.txt:train", names=["cat"])
    (tmp_path / "list.txt").write_text("a.jpg 1,2,1,4,0\n")
    with pytest.raises(InputError, match=r"list\.txt:1: box 1,2,1,4 has no area"):
        read_annotations(tmp_path / "list.txt", names=["cat"])


def test_reading_for_a_report_goes_on_after_each_problem(tmp_path, real_data):
    problems = []
    report = lambda *problem: problems.append(problem)  # noqa: E731
    names, records = read_data(real_data / "bccd", None, report)
    assert names == ("Platelets", "RBC", "WBC") and len(records) == 364
    assert sum(len(record.boxes) for record in records) + len(problems) == 4888
    assert [kind for kind, _ in problems] == ["box without area"] * 2

    (tmp_path / "names").write_text("cat\n")
    (tmp_path / "list.txt").write_text("absent.png 1,2,3,4,0 1,2,3,4,7\nother.png 4,3,2,1,0\n")
    problems.clear()
    names, records = read_data(tmp_path / "list.txt", tmp_path / "names", report)
    assert names == ("cat",) and [len(record.boxes) for record in records] == [1, 0]
    assert sorted(kind for kind, _ in problems) == ["box without area", "class without a name"]
    with pytest.raises(InputError, match="has no class names"):
        read_data(tmp_path / "list.txt", None, report)
