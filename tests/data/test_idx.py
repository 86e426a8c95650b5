"""IDX files, written byte by byte as the description of MNIST has them."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from yolojax.data.idx import looks_like_idx, read_idx
from yolojax.errors import InputError

# Two pictures of 3 rows and 2 columns: the magic number 2051, the three sizes, and the rows one after the other.
PICTURES = (
    b"\x00\x00\x08\x03" + b"\x00\x00\x00\x02" + b"\x00\x00\x00\x03" + b"\x00\x00\x00\x02" + bytes(range(250, 256)) + b"abcdef"
)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_bytes_are_read_in_their_order(tmp_path, pack, name):
    (tmp_path / name).write_bytes(pack(PICTURES))
    array = read_idx(tmp_path / name)
    assert array.dtype == np.uint8
    assert array.tolist() == [[[250, 251], [252, 253], [254, 255]], [[97, 98], [99, 100], [101, 102]]]
    assert looks_like_idx(tmp_path / name)


def test_sizes_are_four_bytes_the_largest_first(tmp_path):
    (tmp_path / "a").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 300) + bytes(300))
    assert read_idx(tmp_path / "a").shape == (300,)
    (tmp_path / "a").write_bytes(struct.pack(">iiii", 2051, 0, 28, 28))
    assert read_idx(tmp_path / "a").shape == (0, 28, 28)


FAULTS = {
    "empty": (b"", r"not an IDX file: it begins with the bytes \(none\)"),
    "text": (b"<html>", "not an IDX file: it begins with the bytes 3c 68 74 6d"),
    "wrong magic": (b"\x00\x00\x07" + PICTURES[3:], "not an IDX file: it begins with the bytes 00 00 07 03"),
    "other byte order": (struct.pack("<ii", 2049, 0), "not an IDX file: it begins with the bytes 01 08 00 00"),
    "floats": (b"\x00\x00\x0d" + PICTURES[3:], "an IDX file of floats; give one of unsigned bytes"),
    "doubles": (b"\x00\x00\x0e\x01\x00\x00\x00\x01" + bytes(8), "an IDX file of doubles"),
    "header cut": (PICTURES[:14], "ends within its header, after 14 bytes; it was cut off"),
    "cut": (PICTURES[:-1], "11 bytes of values for the 2 x 3 x 2 that the header states: it was cut off"),
    "more": (PICTURES + b"z", "at least 13 bytes of values for the 2 x 3 x 2 that the header states: there is more"),
    "huge": (
        b"\x00\x00\x08\x04" + b"\xff" * 16,
        "0 bytes of values for the 4294967295 x .* that the header states: it was cut off",
    ),
    "dimensions": (
        b"\x00\x00\x08\x64" + b"\0\0\0\1" * 100 + b"z",
        "an IDX file of 100 dimensions; give one of",
    ),
    "no values of huge size": (b"\x00\x00\x08\x03" + bytes(4) + b"\xff" * 8, "cannot be read: "),
    "gzip cut": (gzip.compress(PICTURES)[:-9], "cannot be read: "),
    "gzip damaged": (gzip.compress(PICTURES)[:14] + b"\xff\xff\xff" + gzip.compress(PICTURES)[17:], "cannot be read: "),
    "gzip of text": (gzip.compress(b"text"), "not an IDX file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_right_is_said_in_one_line(tmp_path, fault):
    content, message = FAULTS[fault]
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_idx(tmp_path / "a")
    assert str(caught.value).startswith(f"{tmp_path / 'a'}: ") and "\n" not in str(caught.value)


def test_no_more_is_decompressed_than_the_header_states(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(gzip.compress(PICTURES + bytes(1 << 24)))
    tracemalloc.start()
    with pytest.raises(InputError, match="at least 13 bytes of values for the 2 x 3 x 2"):
        read_idx(tmp_path / "a")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    (tmp_path / "a").write_bytes(gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 1 << 31) + bytes(1 << 20)))
    monkeypatch.setattr("yolojax.data.idx.host_memory", lambda: 1 << 20)
    with pytest.raises(InputError, match=r"a: 0\.5 MiB of values or more, half of the memory; use a smaller set"):
        read_idx(tmp_path / "a")


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="cannot be read: "):
            read_idx(path)
        assert not looks_like_idx(path)
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    assert not looks_like_idx(tmp_path / "zip")
