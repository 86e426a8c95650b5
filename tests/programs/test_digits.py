"""`yolojax digits`, as users call it."""

import gzip
import shlex
import struct

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


def test_mnist_as_it_was_published(tmp_path, capsys):
    for part, digit in (("train", 3), ("t10k", 5)):
        pixels = struct.pack(">iiii", 2051, 1, 28, 28) + bytes(784)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">iib", 2049, 1, digit))
    small = ("--train", "2", "--val", "1", "--size", "150")
    for number, path in enumerate((tmp_path, tmp_path / "train-images-idx3-ubyte.gz")):
        out = tmp_path / f"out{number}"
        assert main(["digits", "--out", str(out), "--mnist", str(path), *small]) == 0
        for name, digit in (("train", 3), ("val", 5)):
            records = read_text_list(out / f"{name}.txt", range(10))
            assert {label for record in records for label in record.classes.tolist()} == {digit}
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    capsys.readouterr()
    assert main(["digits", "--out", str(tmp_path / "out2"), "--mnist", str(tmp_path), *small]) == 1
    message = f"error: {tmp_path}: there is no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz"
    assert capsys.readouterr().err.startswith(message)


def test_seed_is_passed_on(tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["digits", "--out", str(tmp_path / name), "--train", "1", "--val", "1", "--seed", seed]) == 0
    a, b, c = ((tmp_path / name / "train.txt").read_text() for name in "abc")
    assert a == b != c
