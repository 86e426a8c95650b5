"""`yolojax` and `python -m yolojax`: its commands, its one-line errors and its exit statuses."""

import shlex
import subprocess
import sys

import numpy as np
import pytest

import yolojax
from yolojax.__main__ import main
from yolojax.data.formats.names import read_names
from yolojax.data.formats.read import read_annotations
from yolojax.data.formats.text import read_text_list
from yolojax.runtime.command import COMMANDS


def test_digits(tmp_path, capsys):
    out = tmp_path / "the digits"
    assert main(["digits", "--out", str(out), "--train", "3", "--val", "2", "--size", "200", "--seed", "4"]) == 0
    names = (out / "digits.names").read_text().split()
    pictures = {name: read_text_list(out / f"{name}.txt", names) for name in ("train", "val")}
    shown = capsys.readouterr()
    assert shown.err == ""
    digits = {name: sum(len(record.boxes) for record in records) for name, records in pictures.items()}
    assert f"3 training pictures with {digits['train']} digits" in shown.out
    assert f"2 validation pictures with {digits['val']} digits" in shown.out
    command = shlex.split(shown.out.splitlines()[-1])
    assert command[:4] == ["python", "-m", "yolojax", "train"]
    assert f"--config.data.train={out / 'train.txt'}" in command
    assert f"--config.data.val={out / 'val.txt'}" in command
    assert f"--config.data.names={out / 'digits.names'}" in command


def test_seed_is_passed_on(tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["digits", "--out", str(tmp_path / name), "--train", "1", "--val", "1", "--seed", seed]) == 0
    a, b, c = ((tmp_path / name / "train.txt").read_text() for name in "abc")
    assert a == b != c


def test_input_error_is_one_line_and_status_1(tmp_path):
    absent = tmp_path / "absent.npz"
    run = subprocess.run(
        [sys.executable, "-m", "yolojax", "digits", "--out", str(tmp_path / "out"), "--mnist", str(absent)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.startswith(f"error: {absent}: ") and run.stderr.count("\n") == 1


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


def test_split_prints_counts_and_a_command_that_trains_on_the_lists(tmp_path, capsys):
    assert main(["digits", "--out", str(tmp_path / "digits"), "--train", "10", "--val", "1", "--size", "200"]) == 0
    data, names = str(tmp_path / "digits/train.txt"), str(tmp_path / "digits/digits.names")
    out = tmp_path / "three lists"
    capsys.readouterr()
    assert main(["split", data, "--names", names, "--out", str(out), "--val", "0.3", "--test", "0.1", "--seed", "5"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    parts = {name: read_text_list(out / f"{name}.txt", read_names(names)) for name in ("train", "val", "test")}
    assert lines[0].split() == ["train", "val", "test"]
    assert lines[1].split() == ["pictures", "6", "3", "1"]
    assert lines[2].split() == ["boxes", *(str(sum(len(record.boxes) for record in part)) for part in parts.values())]
    for digit in range(10):
        cells = []
        for part in parts.values():
            with_digit = [record for record in part if digit in record.classes]
            cells += [sum((record.classes == digit).sum() for record in with_digit), "in", len(with_digit)]
        assert lines[3 + digit].split() == [str(digit), *map(str, cells)]
    absent = {name: set(range(10)).difference(*(record.classes for record in part)) for name, part in parts.items()}
    for name, classes in absent.items():
        assert (f"{name} has no box of: {', '.join(map(str, sorted(classes)))}" in lines) == bool(classes)
    command = shlex.split(lines[-1])
    assert command[:4] == ["python", "-m", "yolojax", "train"]
    for field, file in (("train", "train.txt"), ("val", "val.txt"), ("test", "test.txt"), ("names", "classes.names")):
        assert f"--config.data.{field}={out / file}" in command
    assert main(["split", data, "--names", names, "--out", str(out)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == f"error: {out}: exists and is not an empty folder; give a new one\n"


def test_a_bare_call_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    shown = capsys.readouterr()
    assert caught.value.code == 2 and shown.out == ""
    lines = [line.split(maxsplit=1) for line in shown.err.splitlines() if line.startswith("    ")]
    assert [name for name, _ in lines] == list(COMMANDS)
    assert all(len(explanation) > 15 for _, explanation in lines)


@pytest.mark.parametrize("name", ["train", "eval", "detect"])
def test_errors_of_the_programs_begin_with_what_was_typed(name):
    run = subprocess.run([sys.executable, "-m", "yolojax", name, "--wrkdir=x"], capture_output=True, text=True)
    assert run.returncode == 2 and run.stdout == "" and run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"python -m yolojax {name}: error: Unknown command line flag 'wrkdir'")


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"yolojax {yolojax.__version__}\n"


MISTYPED = [
    [],
    ["digit"],
    ["split", "list.txt"],
    ["split", "list.txt", "--out", "x", "--val", "few"],
    ["digits"],
    ["digits", "--out", "x", "--train", "many"],
    ["convert", "--to", "voc", "--out", "x"],
    ["convert", "a.json", "--to", "csv", "--out", "x"],
    ["check"],
    ["anchors", "list.txt", "--names", "names", "--network", "yolov9"],
    ["import", "a.weights", "--cfg", "a.cfg"],
    ["export", "run", "--to", "tensorflow", "--out", "x"],
    ["export", "run", "--to", "onnx"],
]


@pytest.mark.parametrize("arguments", MISTYPED)
def test_mistyped_arguments_are_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m yolojax" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["train", "eval", "detect", "check", "anchors", "digits", "convert", "split", "import", "export"]),
        (["split", "--help"], ["DATA", "--out", "--val", "--test", "--seed", "--names", "default: 0.2"]),
        (["import", "--help"], ["FILE.weights", "--cfg", "--workdir", "--names", "YOLOv3-SPP"]),
        (["export", "--help"], ["WORKDIR", "darknet", "stablehlo", "onnx", "--out", "--checkpoint", "--pictures"]),
        (["digits", "--help"], ["--out", "--mnist", "default: 416"]),
        (["convert", "--help"], ["DATA", "--to", "coco", "--split", "links"]),
        (["check", "--help"], ["DATA", "--names", "--out", "Changes"]),
        (["anchors", "--help"], ["--names", "--network", "--seed"]),
        (["export", "--help"], ["WORKDIR", "stablehlo", "onnx", "--out", "--checkpoint", "--pictures"]),
    ],
)
def test_help(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    shown = capsys.readouterr().out
    assert caught.value.code == 0 and all(word in shown for word in words)
