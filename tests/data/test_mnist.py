"""MNIST from its four IDX files, wherever they lie and whatever is wrong with them, and from an .npz file."""

import gzip
import io
import os
import shutil
import struct
import zipfile

import numpy as np
import pytest

from yolojax.data.digits import write_mnist_detection
from yolojax.data.mnist import read_mnist
from yolojax.errors import InputError

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def pictures(*greys):
    """The bytes of an IDX file of pictures, each of one grey; its first pixel is 1, its last 2."""
    return struct.pack(">iiii", 2051, len(greys), 28, 28) + b"".join(b"\x01" + bytes([g]) * 782 + b"\x02" for g in greys)


def labels(*digits):
    return struct.pack(">ii", 2049, len(digits)) + bytes(digits)


def write(folder, contents=None, name=lambda name: name, pack=bytes):
    folder.mkdir()
    for file, content in zip(NAMES, contents or (pictures(9, 8, 7), labels(3, 0, 9), pictures(6), labels(5)), strict=True):
        (folder / name(file)).write_bytes(pack(content))
    return folder


def assert_read(path):
    (train, train_labels), (test, test_labels) = read_mnist(path)
    assert train.dtype == test.dtype == np.uint8 and train.shape == (3, 28, 28) and test.shape == (1, 28, 28)
    assert train[:, 14, 14].tolist() == [9, 8, 7] and test[0, 14, 14] == 6
    assert train[:, 0, 0].tolist() == [1, 1, 1] and train[:, 27, 27].tolist() == [2, 2, 2]
    assert train_labels.tolist() == [3, 0, 9] and test_labels.tolist() == [5]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("spelling", ["{}", "{}.gz", "dotted"])
def test_the_folder_or_any_of_its_files_is_named(tmp_path, pack, spelling):
    def name(file):
        return file.replace("-idx", ".idx") if spelling == "dotted" else spelling.format(file)

    folder = write(tmp_path / "MNIST", name=name, pack=pack)
    (folder / "readme.txt").write_text("others are passed over")
    assert_read(folder)
    assert_read(str(folder))
    for file in NAMES:
        assert_read(folder / name(file))


def test_the_file_that_is_named_comes_first_then_plain_ones(tmp_path):
    folder = write(tmp_path / "a")
    for file in NAMES:
        (folder / f"{file}.gz").write_bytes(b"\x1f\x8bnothing to read")
    assert_read(folder)
    assert_read(folder / NAMES[0])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: cannot be read"):
        read_mnist(folder / f"{NAMES[0]}.gz")


def test_a_folder_in_place_of_a_file_is_looked_past(tmp_path):
    """As in a well-known archive, where each file also lies in a folder of its own name."""
    folder = write(tmp_path / "a", name=lambda file: file.replace("-idx", ".idx"))
    (folder / NAMES[0]).mkdir()
    assert_read(folder)


def test_a_set_is_made_of_it(tmp_path):
    folder = write(tmp_path / "a")
    written = write_mnist_detection(tmp_path / "out", mnist=folder, train=2, val=2, size=150)
    text = (tmp_path / "out/train.txt").read_text()
    assert written["train"] and set(text.replace("\n", " ").split()[1].rsplit(",")[-1]) <= set("309")
    np.savez(
        tmp_path / "same.npz",
        x_train=np.stack([np.frombuffer(pictures(grey)[16:], np.uint8).reshape(28, 28) for grey in (9, 8, 7)]),
        y_train=[3, 0, 9],
        x_test=np.frombuffer(pictures(6)[16:], np.uint8).reshape(1, 28, 28),
        y_test=[5],
    )
    write_mnist_detection(tmp_path / "same", mnist=tmp_path / "same.npz", train=2, val=2, size=150)
    for file in ("train.txt", "val.txt", "train/000000.png"):
        assert (tmp_path / "same" / file).read_bytes() == (tmp_path / "out" / file).read_bytes()


FAULTS = {
    "cut": (
        (pictures(1, 2, 3)[:-1], labels(1, 2, 3)),
        r"train-images-idx3-ubyte: 2351 bytes of values for the 3 x 28 x 28 .*cut off",
    ),
    "counts": (
        (pictures(1, 2), labels(1, 2, 3)),
        r"train-labels-idx1-ubyte: 3 labels, but .*train-images-idx3-ubyte has 2 pictures",
    ),
    "floats": (
        (b"\0\0\x0d\x03" + pictures(1)[4:16] + bytes(4 * 784), labels(1)),
        r"train-images-idx3-ubyte: an IDX file of floats; give one of unsigned bytes$",
    ),
    "text": ((b"<html>", labels(1)), r"train-images-idx3-ubyte: not an IDX file"),
    "other way round": (
        (labels(1), pictures(1)),
        r"train-images-idx3-ubyte: the array is uint8 \(1,\), not uint8 \(n, 28, 28\)",
    ),
    "other size": (
        (struct.pack(">iiii", 2051, 1, 32, 32) + bytes(1024), labels(1)),
        r"train-images-idx3-ubyte: the array is uint8 \(1, 32, 32\), not uint8 \(n, 28, 28\)",
    ),
    "none": ((pictures(), labels()), r"train-images-idx3-ubyte: the array is uint8 \(0, 28, 28\)"),
    "letters": ((pictures(1), labels(10)), r"train-labels-idx1-ubyte: the array must hold one digit, 0 to 9, for each picture"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_names_the_file(tmp_path, fault):
    contents, message = FAULTS[fault]
    folder = write(tmp_path / "a", (*contents, pictures(1), labels(1)))
    with pytest.raises(InputError, match=message) as caught:
        write_mnist_detection(tmp_path / "out", mnist=folder)
    assert str(caught.value).startswith(str(folder)) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", NAMES)
def test_a_file_that_is_missing_is_named(tmp_path, missing):
    folder = write(tmp_path / "a")
    (folder / missing).unlink()
    other = next(name for name in NAMES if name != missing)
    source = "; MNIST's four files are under https://ossci-datasets.s3.amazonaws.com/mnist/"
    messages = {
        folder: f"there is no {missing} or {missing}.gz; a folder cannot be read as an .npz file{source}",
        folder / other: f"beside it there is no {missing} or {missing}.gz{source}",
        folder / missing: f"there is no such file{source.replace(' files', '')}",
        tmp_path / "absent" / missing: f"there is no such file{source.replace(' files', '')}",
    }
    for path, message in messages.items():
        with pytest.raises(InputError) as caught:
            read_mnist(path)
        assert str(caught.value) == f"{path}: {message}"


def test_an_idx_file_of_another_name_is_not_taken_for_an_npz(tmp_path):
    folder = write(tmp_path / "a")
    for name, source in (("digits", folder / NAMES[0]), ("emnist-letters-train-images-idx3-ubyte", folder / NAMES[0])):
        shutil.copy(source, tmp_path / name)
        with pytest.raises(
            InputError, match="an IDX or gzip file whose name does not say which of MNIST's it is; the names are "
        ):
            read_mnist(tmp_path / name)


def test_arrays_that_no_memory_holds_are_refused(tmp_path, monkeypatch):
    zeros = {
        f"{axis}_{part}": np.zeros((1, 28, 28) if axis == "x" else 1, np.uint8) for axis in "xy" for part in ("train", "test")
    }
    np.savez_compressed(tmp_path / "zeros.npz", **zeros)
    assert len(read_mnist(tmp_path / "zeros.npz")) == 2
    monkeypatch.setattr("yolojax.data.mnist.host_memory", lambda: 1 << 11)
    with pytest.raises(InputError, match=r"zeros\.npz: its arrays have 0\.0 MiB, more than half of the memory of 0\.0 MiB"):
        read_mnist(tmp_path / "zeros.npz")
    monkeypatch.undo()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for name in zeros:
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(100))
    with pytest.raises(
        InputError, match=r"huge\.npz: (its arrays cannot be read: there is not enough memory|cannot be read as)"
    ):
        read_mnist(tmp_path / "huge.npz")


def test_a_pipe_in_the_place_of_a_file_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "mnist.npz")
    with pytest.raises(InputError, match=r"mnist\.npz: cannot be read as an \.npz file of arrays: .*Not a regular file"):
        read_mnist(tmp_path / "mnist.npz")


def _npz(path, member):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", member)


HEADERS = {
    "no array": b"text",
    "empty": b"",
    "an open bracket": "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 28, 28",
    "an open string": "{'descr': '|u1",
    "a shape of no array": "{'descr': '|u1', 'fortran_order': False, 'shape': (1" + 30 * "0" + ", 28, 28), }",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_an_npz_file_that_numpy_cannot_read_is_one_line(tmp_path, kind):
    header = HEADERS[kind]
    if isinstance(header, str):
        header = b"\x93NUMPY\x01\0" + (len(header) + 1).to_bytes(2, "little") + header.encode() + b"\n"
    _npz(tmp_path / "a.npz", header)
    with pytest.raises(InputError, match=r"a\.npz") as caught:
        write_mnist_detection(tmp_path / "out", mnist=tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_an_npz_file_that_zip_cannot_unpack_is_one_line(tmp_path):
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "a.npz", **{name: np.zeros((1, 28, 28), np.uint8) for name in names})
    content = (tmp_path / "a.npz").read_bytes()
    for offset, value in ((8, 99), (6, 1)):  # another compression, encrypted: in the directory at the end
        damaged, at = bytearray(content), -1
        while (at := content.find(b"PK\1\2", at + 1)) >= 0:
            damaged[at + 2 + offset] = value
        (tmp_path / "b.npz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"b\.npz: cannot be read as an \.npz file of arrays"):
            write_mnist_detection(tmp_path / "out", mnist=tmp_path / "b.npz")
