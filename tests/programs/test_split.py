"""`yolojax split`, as users call it."""

import shlex

from yolojax.__main__ import main
from yolojax.data.formats.names import read_names
from yolojax.data.formats.text import read_text_list


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
