"""Sizes from headers are those of the pictures that are read."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.picture_files import UPRIGHT, WHOLE, cmyk_jpeg, encoded, exif, picture, with_segment
from yolojax.data import image_size
from yolojax.data.annotations import Record
from yolojax.data.image_size import picture_sizes, read_size, try_pictures
from yolojax.data.images import read_image, write_image
from yolojax.errors import InputError

JPEG, PNG = encoded(picture(40, 56), ".jpg"), encoded(picture(40, 56), ".png")


def with_chunk(png, kind, payload, before):
    chunk = struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
    place = png.index(before) - 4
    return png[:place] + chunk + png[place:]


PICTURES = {
    **WHOLE,
    "grey": encoded(picture()[..., 0], ".jpg"),
    "cmyk": cmyk_jpeg([(200, 100, 50, 255)] * 3),
    "sixteen": encoded(picture().astype(np.uint16), ".png"),
    "tiff": encoded(picture(), ".tiff"),
    "filled": JPEG.replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
    "late": with_segment(with_segment(JPEG, 0xE2, bytes(65000)), 0xE2, bytes(65000)),
    "exif in png": with_chunk(PNG, b"eXIf", exif(6), b"IDAT"),
    "exif at the end of a png": with_chunk(PNG, b"eXIf", exif(6), b"IEND"),
    "exif not understood": with_segment(JPEG, 0xE1, b"Exif\0\0XX"),
    "exif cut": with_segment(JPEG, 0xE1, b"Exif\0\0" + exif(6)[:12]),
    **{f"turned {n}": with_segment(JPEG, 0xE1, b"Exif\0\0" + exif(n)) for n in UPRIGHT},
    **{f"turned {n}, little": with_segment(JPEG, 0xE1, b"Exif\0\0" + exif(n, "<")) for n in (1, 6)},
}


@pytest.mark.parametrize("kind", PICTURES)
def test_the_size_is_that_of_the_picture(tmp_path, kind):
    (tmp_path / "p").write_bytes(PICTURES[kind])
    assert read_size(tmp_path / "p") == read_image(tmp_path / "p").shape[:2]


@pytest.mark.parametrize("kind", ["baseline", "progressive", "thumbnail", "png", "turned 6"])
def test_jpeg_and_png_are_not_decoded(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(image_size, "read_image", lambda path: pytest.fail("decoded"))
    expected = (56, 40) if kind == "turned 6" else (200, 300)
    for kept in (1.0, 0.9):
        (tmp_path / "p").write_bytes(PICTURES[kind][: int(kept * len(PICTURES[kind]))])
        assert read_size(tmp_path / "p") == expected


def test_headers_behind_the_first_bytes_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(image_size, "_HEAD", 100)
    (tmp_path / "p").write_bytes(JPEG)
    assert read_size(tmp_path / "p") == (40, 56)


def test_unreadable(tmp_path):
    with pytest.raises(InputError, match=r"absent\.jpg: the picture cannot be read: No such file"):
        read_size(tmp_path / "absent.jpg")
    (tmp_path / "p").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="not a picture that OpenCV can read"):
        read_size(tmp_path / "p")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_an_input_error_or_a_size(tmp_path, data):
    damaged = bytearray(data.draw(st.sampled_from([JPEG, PNG, PICTURES["turned 6"]])))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(2, 120))] = data.draw(st.integers(0, 255))
    (tmp_path / "p").write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        height, width = read_size(tmp_path / "p")
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert height > 0 and width > 0


def test_sizes_in_order_and_errors_with_their_source(tmp_path):
    records, expected = [], []
    for number in range(25):
        path = tmp_path / f"{number}.png"
        write_image(path, np.zeros((10 + number, 7, 3), np.uint8))
        records.append(Record(str(path), np.zeros((0, 4)), np.zeros(0), f"list.txt:{number + 1}"))
        expected.append((10 + number, 7))
    (tmp_path / "3.png").write_bytes(b"no picture")
    (tmp_path / "9.png").unlink()
    sizes = try_pictures(records)
    errors = {number: str(size) for number, size in enumerate(sizes) if isinstance(size, InputError)}
    assert [errors[3].startswith(f"list.txt:4: {tmp_path / '3.png'}: not a picture"), sorted(errors)] == [True, [3, 9]]
    assert errors[9] == f"list.txt:10: {tmp_path / '9.png'}: the picture cannot be read: No such file or directory"
    assert [size for n, size in enumerate(sizes) if n not in errors] == [e for n, e in enumerate(expected) if n not in errors]
    with pytest.raises(InputError) as caught:
        picture_sizes(records)
    assert str(caught.value) == errors[3]
    kept = [record for number, record in enumerate(records) if number not in errors]
    assert picture_sizes(kept) == [size for number, size in enumerate(sizes) if number not in errors]
    assert try_pictures([]) == picture_sizes([]) == []


def test_no_jax():
    code = "import sys, yolojax.data.check, yolojax.data.anchors, yolojax.data.contact_sheet; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
