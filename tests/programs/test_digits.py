"""`yolojax digits`, as users call it."""

import shlex

from yolojax.__main__ import main
from yolojax.data.formats.text import read_text_list


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
