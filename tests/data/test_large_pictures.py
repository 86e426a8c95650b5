"""Pictures of absurd sizes: refused by their headers, without the memory they ask for; large and tiny ones are read."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from tests.helpers.picture_files import encoded, picture
from yolojax.data.image_size import read_size
from yolojax.data.images import letterbox, read_image, write_image
from yolojax.errors import InputError


def png(width, height):
    """A PNG of a few bytes that says to be so large; its pixels are not there."""

    def chunk(kind, payload):
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(10_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def jpeg(width, height):
    whole = encoded(picture(40, 56), ".jpg")
    return whole.replace(struct.pack(">HH", 40, 56), struct.pack(">HH", height, width), 1)


def bmp(width, height):
    whole = encoded(picture(40, 56), ".bmp")
    return whole[:18] + struct.pack("<ii", width, height) + whole[26:]


BOMBS = {"png": png(30_000, 30_000), "jpeg": jpeg(60_000, 60_000), "bmp": bmp(30_000, 30_000)}

# It may take no more memory than a program with OpenCV does, and 1 GiB: half of what the smallest of the bombs asks for.
READ = """
import resource, sys
if sys.argv[2] == "first":
    import cv2
from yolojax.data.images import read_image
from yolojax.data.image_size import read_size
from yolojax.errors import InputError
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
for read in (read_image, read_size):
    try:
        sys.exit(f"read: {read(sys.argv[1])}")
    except InputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
@pytest.mark.parametrize("opencv", ["first", "later"])
@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_refused_by_their_headers(tmp_path, kind, opencv, repository):
    (tmp_path / "bomb").write_bytes(BOMBS[kind])
    command = [sys.executable, "-c", READ, tmp_path / "bomb", opencv]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    if kind == "bmp" and opencv == "first":
        return  # within the limit that OpenCV was loaded with; one line all the same
    first, second = done.stdout.splitlines()
    assert first == second
    assert "bomb: " in first and "more than 268,435,456 pixels are not read" in first


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1), (300, 20_000)])
def test_tiny_and_wide_pictures_are_read(tmp_path, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    write_image(tmp_path / "p.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), image)
    assert read_size(tmp_path / "p.png") == shape
    assert letterbox(image, (64, 96))[0].shape == (64, 96, 3)


def test_the_limit_is_the_number_of_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr("yolojax.data.images.MOST_PIXELS", 100)
    for shape, fine in (((10, 10), True), ((10, 11), False)):
        write_image(tmp_path / "p.png", np.zeros((*shape, 3), np.uint8))
        for read in (read_image, read_size):
            if fine:
                read(tmp_path / "p.png")
                continue
            with pytest.raises(InputError, match=r"p\.png: 11 x 10: more than "):
                read(tmp_path / "p.png")


def tiff_of(width, height):
    entries = ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1), (278, height), (279, 10))
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0" * 300


OTHER_BOMBS = {
    "grey.pgm": b"P5\n40000 40000\n255\n" + b"\0" * 100,
    "colour.ppm": b"P6\n40000 40000\n255\n" + b"\0" * 100,
    "black.pbm": b"P4\n40000 40000\n" + b"\0" * 100,
    "animation.gif": b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(50),
    "scan.tif": tiff_of(100_000, 100_000),
    "light.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n" + b"\0" * 100,
}


@pytest.mark.parametrize("name", OTHER_BOMBS)
def test_small_files_of_other_formats_that_claim_a_billion_pixels_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(OTHER_BOMBS[name])
    with pytest.raises(InputError, match=rf"{name}: (more than 268,435,456 pixels are not read; make|not a picture)"):
        read_image(tmp_path / name)
