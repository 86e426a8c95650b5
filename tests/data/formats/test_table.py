"""Tables of boxes: each form is read, and what is wrong in them is named by file and line."""

import argparse

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.reading import boxes_of, problems_of, refused, write, write_pictures
from yolojax.data.convert import WRITTEN, convert
from yolojax.data.formats.read import read_annotations, recognise, splits
from yolojax.errors import InputError
from yolojax.programs.convert import define

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"


TWO = {"a.jpg": [("dog", 1, 2, 30, 20.5), ("cat", 3, 4, 8, 9)], "b.jpg": [("dog", 0, 0, 60, 40)]}
FORMS = {
    "tensorflow": f"{HEADER}\na.jpg,60,40,dog,1,2,30,20.5\nb.jpg,60,40,dog,0,0,60,40\na.jpg,60,40,cat,3,4,8,9\n",
    "any order": "class,xmin,xmax,ymin,ymax,filename\ndog,1,30,2,20.5,a.jpg\ndog,0,60,0,40,b.jpg\ncat,3,8,4,9,a.jpg\n",
    "semicolons": "Image;Label;X_min;Y_min;X_max;Y_max\na.jpg;dog;1;2;30;20,5\na.jpg;cat;3;4;8;9\nb.jpg;dog;0;0;60;40\n",
    "tabs": "path\tname\tx1\ty1\tx2\ty2\na.jpg\tdog\t1\t2\t30\t20.5\na.jpg\tcat\t3\t4\t8\t9\nb.jpg\tdog\t0\t0\t60\t40\n",
    "marks and quotes": '\ufeff"filename","class","xmin","ymin","xmax","ymax"\r\n"a.jpg","dog","1","2","30","20.5"\r\n\r\n'
    '"a.jpg","cat","3","4","8","9"\r\n"b.jpg","dog","0","0","60","40"\r\n',
    "retinanet": "a.jpg,1,2,30,20.5,dog\na.jpg,3,4,8,9,cat\nb.jpg,0,0,60,40,dog\n",
    "retinanet with spaces": "a.jpg, 1, 2, 30, 20.5, dog\na.jpg, 3, 4, 8, 9, cat\nb.jpg, 0, 0, 60, 40, dog\n",
    "makesense": "dog,1,2,29,18.5,a.jpg,60,40\ncat,3,4,5,5,a.jpg,60,40\ndog,0,0,60,40,b.jpg,60,40\n",
    "makesense with header": "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height\n"
    "dog,1,2,29,18.5,a.jpg,60,40\ncat,3,4,5,5,a.jpg,60,40\ndog,0,0,60,40,b.jpg,60,40\n",
    "list": 'image_id,width,height,bbox,label\na,60,40,"[1, 2, 29, 18.5]",dog\na,60,40,"[3.0, 4.0, 5.0, 5.0]",cat\n'
    'b,60,40,"[0, 0, 60, 40]",dog\n',
    "fractions": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\na,x,dog,1,0.016666668,0.5,0.05,0.5125,0\n"
    "a,x,cat,1,0.05,0.133333335,0.1,0.225,0\nb,x,dog,1,0,1,0,1,0\n",
    "via": "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    'a.jpg,9,"{}",2,0,"{""name"":""rect"",""x"":1,""y"":2,""width"":29,""height"":18.5}","{""kind"":""dog""}"\n'
    'a.jpg,9,"{}",2,1,"{""name"":""rect"",""x"":3,""y"":4,""width"":5,""height"":5}","{""kind"":""cat""}"\n'
    'b.jpg,9,"{}",1,0,"{""name"":""rect"",""x"":0,""y"":0,""width"":60,""height"":40}","{""kind"":""dog""}"\n',
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["", "images/", "labels/"])
def test_every_form_is_read(tmp_path, form, place):
    write_pictures(tmp_path, f"{place}a.jpg", f"{place}b.jpg")
    path = write(tmp_path / "labels.csv", FORMS[form])
    assert recognise(path) == "csv" and recognise(tmp_path) == "csv" and splits(path) == ()
    for data in (path, tmp_path):
        content, problems = boxes_of(data)
        assert problems == [] and set(content) == set(TWO)
        for name, expected in TWO.items():
            assert [row[0] for row in content[name]] == [row[0] for row in expected]
            np.testing.assert_allclose([row[1:] for row in content[name]], [row[1:] for row in expected], atol=1e-4)


def test_sizes_sources_and_given_names(tmp_path):
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    path = write(tmp_path / "labels.csv", FORMS["tensorflow"])
    names, records, _ = read_annotations(path, names=("cat", "bird", "dog"))
    assert names == ("cat", "bird", "dog") and records[0].classes.tolist() == [2, 0]
    assert [record.stated_size for record in records] == [(40, 60)] * 2
    assert [record.source for record in records] == [f"{path}:2", f"{path}:3"]
    assert read_annotations(write(path, FORMS["retinanet"])).records[0].stated_size is None
    refused(path, r"labels\.csv:1: there is no class 'dog'; the names are cat", names=("cat",))


def test_pictures_without_boxes_are_kept(tmp_path):
    write_pictures(tmp_path, "img/a.jpg", "img/b.jpg", "img/c.jpg")
    path = write(tmp_path / "labels.csv", "img/a.jpg,,,,,\nimg/b.jpg,1,2,3,4,dog\nimg/c.jpg,,,,,\n")
    assert boxes_of(path)[0] == {"a.jpg": [], "b.jpg": [("dog", 1, 2, 3, 4)], "c.jpg": []}
    write(path, 'image,bbox,class\na.jpg,[],\nb.jpg,"[1 2 2 2]",dog\nc.jpg,nan,nan\n')
    assert boxes_of(path)[0] == {"a.jpg": [], "b.jpg": [("dog", 1, 2, 3, 4)], "c.jpg": []}


def test_wheat(tmp_path):
    write_pictures(tmp_path, "train/b6ab.jpg", "test/cc.jpg")
    write(tmp_path / "train.csv", 'image_id,width,height,bbox,source\nb6ab,60,40,"[3.0, 2.0, 5.5, 6.0]",usask_1\n')
    write(tmp_path / "sample_submission.csv", "image_id,PredictionString\ncc,1.0 0 0 50 50\n")
    names, (record,), problems = read_annotations(tmp_path)
    assert names == ("object",) and record.boxes.tolist() == [[3, 2, 8.5, 8]] and problems == []
    assert splits(tmp_path) == ("train",) and read_annotations(tmp_path, "train", ("wheat",)).records[0].classes.tolist() == [0]
    refused(tmp_path, r"train\.csv:2: there is no class 'object'; the names are wheat, rye", names=("wheat", "rye"))


def test_classes_beside_give_the_numbers(tmp_path):
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    path = write(tmp_path / "labels.csv", FORMS["retinanet"])
    classes = write(tmp_path / "classes.csv", "cow,2\ndog,0\ncat,1\n")
    for data in (path, tmp_path):
        assert read_annotations(data).names == ("dog", "cat", "cow")
    write(classes, "class_name,id\ndog,0\ncow,1\n")
    refused(path, r"labels\.csv:2: there is no class 'cat'; the names are dog, cow")
    write(classes, "dog,0\ncat,0\n")
    refused(path, r"classes\.csv:2: cat,0: the name or the id is there twice")
    refused(classes, r"classes\.csv:1: 'dog, 0' looks like a list of classes; give the \.csv of the boxes")


def test_classes_that_are_numbers_count_up(tmp_path):
    write_pictures(tmp_path, "a.jpg")
    path = write(tmp_path / "labels.csv", "".join(f"a.jpg,1,2,3,4,{number}\n" for number in (10, 9, 2)))
    assert read_annotations(path).names == ("2", "9", "10")


@pytest.mark.parametrize(
    "train, val", [("train/_annotations.csv", "valid/_annotations.csv"), ("train_labels.csv", "val_labels.csv")]
)
def test_splits(tmp_path, train, val):
    write_pictures(tmp_path, "train/a.jpg", "valid/a.jpg", "valid/b.jpg")
    write(tmp_path / train, f"{HEADER}\na.jpg,60,40,dog,1,2,3,4\n")
    write(tmp_path / val, f"{HEADER}\na.jpg,60,40,cat,1,2,3,4\nb.jpg,60,40,cat,1,2,3,4\n")
    assert recognise(tmp_path) == "csv" and splits(tmp_path) == ("train", "val")
    for split, inside, count in (("train", "train", 1), ("val", "valid", 2)):
        names, records, problems = read_annotations(f"{tmp_path}:{split}")
        assert names == ("cat", "dog") and len(records) == count and problems == []
        assert all(record.path.startswith(f"{tmp_path}/{inside}/") for record in records)
    assert len(read_annotations(tmp_path).records) == 3
    refused(f"{tmp_path}:test", r"there is no split 'test' \(there are: train, val\)")
    lines = convert([tmp_path], "yolo", tmp_path.parent / f"{tmp_path.name} out")
    assert lines[:2] == ["train: 1 pictures, 1 boxes", "val: 2 pictures, 2 boxes"]


def test_a_folder_without_splits(tmp_path):
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / "labels.csv", FORMS["retinanet"])
    assert splits(tmp_path) == () and len(read_annotations(tmp_path, "train").records) == 2
    refused(f"{tmp_path}:val", r" has no splits; leave out :val")
    with pytest.raises(InputError, match=r"lies in the data, .*, which must not be changed"):
        convert([tmp_path], "yolo", tmp_path / "out")
    refused(f"{tmp_path}/labels.csv:val", r"labels\.csv has no splits; leave out :val")
    write(tmp_path / "more.csv", "a.jpg,1,2,30,20.5,dog\na.jpg,3,4,8,9,cat\n")
    assert [problem.kind for problem in read_annotations(tmp_path).problems] == ["picture twice"]
    write(tmp_path / "more.csv", "a.jpg,1,2,30,20.5,dog\n")
    refused(tmp_path, r"more\.csv:1: .*a\.jpg is already at .*labels\.csv:1 with other boxes; keep one")


def test_pictures_under_other_forms_of_their_names(tmp_path):
    write_pictures(tmp_path, "images/sub/a.jpg", "images/b.jpg", "images/c.jpg")
    rows = ["sub\\a.jpg", "C:\\data\\b.jpg", "/home/someone/c.jpg"]
    path = write(tmp_path / "labels.csv", "".join(f"{row},1,2,3,4,dog\n" for row in rows))
    content, problems = boxes_of(path)
    assert set(content) == {"a.jpg", "b.jpg", "c.jpg"}
    assert [problem.kind for problem in problems] == ["other form of name"] * 3
    write(path, "one/b.jpg,1,2,3,4,dog\ntwo/b.jpg,1,2,3,4,dog\n")
    refused(path, r"labels\.csv:2: there is no picture two/b\.jpg, and .*images/b\.jpg is already the picture one/b\.jpg")
    write(path, "absent.jpg,1,2,3,4,dog\n")
    refused(path, r"labels\.csv:1: there is no picture absent\.jpg in any of ")


@pytest.mark.parametrize("crowd", ["1", "True", "true", "1.0"])
def test_open_images(tmp_path, crowd):
    write_pictures(tmp_path, "train/a1.jpg")
    path = tmp_path / "train-annotations-bbox.csv"
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n"
    write(path, f"{header}a1,x,/m/0bt9lr,1,0.1,0.5,0.2,0.8,0,{crowd}\n")
    write(tmp_path / "class-descriptions-boxable.csv", "/m/011k07,Tortoise\n/m/0bt9lr,Dog\n")
    names, (record,), _ = read_annotations(tmp_path)
    assert names == ("Dog",) and record.crowd.tolist() == [True] and splits(tmp_path) == ("train",)
    np.testing.assert_allclose(record.boxes, [[6, 8, 30, 32]], atol=1e-5)
    write(path, f"{header}a1,x,/m/0bt9lr,1,10,50,2,8,0,1\n")
    refused(path, r"bbox\.csv:2: '10,2,50,8' are not fractions of the picture's width and height")


@pytest.mark.parametrize(
    "row, match",
    [
        ("a.jpg,60,40,dog,1,2,30", "7 values, but the first row has 8"),
        ("a.jpg,60,40,dog,1,2,x,4", "'1,2,x,4' is not a box of four numbers"),
        ("a.jpg,60,40,dog,1,2,,4", "'1,2,,4' is not a box of four numbers"),
        ("a.jpg,60,40,dog,1_0,2,30,4", "'1_0,2,30,4' is not a box of four numbers"),
        ("a.jpg,60,40,dog,9,2,3,4", "box 9,2,3,4 is inverted"),
        ("a.jpg,60,40,dog,1,2,1e30,4", "box 1,2,1e.30,4 is larger than any picture"),
        ("a.jpg,60,40,,1,2,3,4", "the box has no class that is a line of text, but ''"),
        (",60,40,dog,1,2,3,4", "the picture's name '' is not a line of text"),
        ('"a\tb.jpg",60,40,dog,1,2,3,4', r"the picture's name 'a.tb.jpg' is not a line of text"),
        ("a.jpg,40,60,dog,1,2,3,4", "a.jpg is 40 wide and 60 high here, but 60 and 40 before"),
        (b"a.jpg,60,40,d\xf6g,1,2,3,4", "not UTF-8 text"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, row, match):
    write_pictures(tmp_path, "a.jpg")
    row = row if isinstance(row, bytes) else row.encode()
    path = write(tmp_path / "labels.csv", f"{HEADER}\na.jpg,60,40,dog,1,2,3,4\n\n".encode() + row + b"\n")
    refused(path, rf"labels\.csv:4: {match}")
    ((_, message),) = problems_of(path)
    assert "labels.csv:4: " in message
    write(path, f"{HEADER}\na.jpg,60,40,dog,1,2,3,4\na.jpg,60,40,dog,1,2,1,4\n")
    assert [problem.kind for problem in read_annotations(path).problems] == ["box without area"]


@pytest.mark.parametrize(
    "text, match",
    [
        ("", "the file is empty; looked for were a header"),
        ("a,b,c\n1,2,3\n", "labels.csv:1: no boxes are found in it; looked for were .*; found was 'a, b, c'"),
        (
            "filename,x,y,w,h\na.jpg,1,2,3,4\n",
            "call the columns x, y, w, h bbox_x, bbox_y, bbox_w, bbox_h if x, y is a box's corner",
        ),
        (f"{HEADER}\n", "the file has no rows"),
    ],
)
def test_tables_of_no_known_form(tmp_path, text, match):
    refused(write(tmp_path / "labels.csv", text), match)


def test_what_is_taken_for_a_table(tmp_path):
    write(tmp_path / "list.csv", "a.jpg 1,2,3,4,0 5,6,7,8,1\n")
    write(tmp_path / "list.txt", "a.jpg 1,2,3,4,0\n")
    write(tmp_path / "frcnn.txt", "images/a.jpg,1,2,3,4,dog\n")
    write(tmp_path / "results.csv", "epoch,loss\n1,2\n")
    found = {name: recognise(tmp_path / name) for name in ("list.csv", "list.txt", "frcnn.txt", "results.csv")}
    assert found == {"list.csv": "text", "list.txt": "text", "frcnn.txt": "csv", "results.csv": "csv"}


def test_tables_are_not_written(tmp_path):
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    path = write(tmp_path / "labels.csv", FORMS["retinanet"])
    with pytest.raises(InputError, match=r"^csv: is read, but not written; the formats to write are "):
        convert([path], "csv", tmp_path / "out")
    parser = argparse.ArgumentParser()
    define(parser)
    (choices,) = (action.choices for action in parser._actions if action.dest == "to")
    assert choices is not None and set(choices) == set(WRITTEN)


_cell = st.one_of(
    st.sampled_from(["a.jpg", "dog", "1", "2", "1e999", "nan", "-3", "9" * 5000, "", '"', "[1, 2, 3, 4]", "0.5"]), st.text()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.sampled_from([*FORMS.values(), "", HEADER + "\n"]),
    st.lists(st.lists(_cell, max_size=9)),
    st.sampled_from(",;\t"),
    st.binary(max_size=9),
)
def test_whatever_a_file_holds_there_is_one_clear_line(tmp_path, start, rows, separator, end):
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    text = start + "".join(f"{separator.join(row)}\n" for row in rows)
    path = write(tmp_path / "labels.csv", text.encode("utf-8", "surrogatepass") + end)
    try:
        read_annotations(path, names=("dog",) if len(rows) % 2 else None)
    except InputError as error:
        assert str(error).isprintable()
