"""`yolojax convert`, as users call it."""

import numpy as np

from yolojax.__main__ import main
from yolojax.data.formats.names import read_names
from yolojax.data.formats.read import read_annotations
from yolojax.data.formats.text import read_text_list


def test_convert(tmp_path, capsys):
    assert main(["digits", "--out", str(tmp_path / "digits"), "--train", "2", "--val", "1", "--size", "200"]) == 0
    lists = [str(tmp_path / f"digits/{name}.txt") for name in ("train", "val")]
    names = tmp_path / "digits/digits.names"
    capsys.readouterr()
    assert main(["convert", *lists, "--names", str(names), "--to", "yolo", "--out", str(tmp_path / "yolo")]) == 0
    shown = capsys.readouterr()
    assert "train: 2 pictures, " in shown.out and "val: 1 pictures, " in shown.out and shown.err == ""
    assert shown.out.splitlines()[-1] == f"written to {tmp_path / 'yolo'}"
    for split, path in zip(("train", "val"), lists, strict=True):
        for record, original in zip(
            read_annotations(tmp_path / "yolo", split).records, read_text_list(path, read_names(names)), strict=True
        ):
            np.testing.assert_allclose(record.boxes, original.boxes, atol=1e-4)
    assert main(["convert", str(tmp_path / "yolo"), "--to", "text", "--out", str(tmp_path / "val"), "--split", "val"]) == 0
    assert main(["convert", str(tmp_path / "yolo"), "--to", "coco", "--out", str(tmp_path / "digits")]) == 1
    shown = capsys.readouterr()
    assert shown.err == f"error: {tmp_path / 'digits'}: exists and is not an empty folder; give a new one\n"
    assert sorted(path.name for path in (tmp_path / "val").iterdir()) == ["classes.names", "val.txt"]
