"""Reading, writing, and the letterbox with its inverse."""

import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.picture_files import UPRIGHT, WHOLE, cmyk_jpeg, encoded, exif, picture, with_segment
from yolojax.data.images import (
    ImageTransform,
    letterbox,
    letterbox_boxes,
    letterbox_transform,
    read_image,
    unletterbox_boxes,
    write_image,
)
from yolojax.errors import InputError


def test_write_then_read(tmp_path):
    image = picture()
    for name in ("a.png", "b \u00e9\u6f22.PNG", "c.bmp"):
        write_image(tmp_path / name, image)
        back = read_image(str(tmp_path / name))
        np.testing.assert_array_equal(back, image)
        assert back.dtype == np.uint8 and back.flags.c_contiguous
    write_image(tmp_path / "mirrored.png", image[:, ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "mirrored.png"), image[:, ::-1])


def test_channels_are_red_green_blue(tmp_path):
    # A PNG built by hand: one pixel, colour type 2, values 200, 100, 50.
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\xc8\x64\x32")) + chunk(b"IEND", b"")
    (tmp_path / "p.png").write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), [[[200, 100, 50]]])


def test_grey_sixteen_bit_and_alpha(tmp_path):
    image = picture()
    cases = {
        "grey": (image[..., 0], np.repeat(image[..., :1], 3, axis=2)),
        "sixteen": (image.astype(np.uint16) * 256 + 17, image[..., ::-1]),
        "grey16": (image[..., 0].astype(np.uint16) * 256, np.repeat(image[..., :1], 3, axis=2)),
        "alpha": (np.dstack([image, image[..., :1]]), image[..., ::-1]),
    }
    for name, (stored, expected) in cases.items():
        (tmp_path / name).write_bytes(encoded(stored, ".png"))
        back = read_image(tmp_path / name)
        assert back.dtype == np.uint8 and back.flags.c_contiguous
        np.testing.assert_array_equal(back, expected, err_msg=name)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, orientation):
    jpeg = encoded(picture(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)
    (tmp_path / "plain.jpg").write_bytes(jpeg)
    (tmp_path / "turned.jpg").write_bytes(with_segment(jpeg, 0xE1, b"Exif\0\0" + exif(orientation)))
    upright = UPRIGHT[orientation](read_image(tmp_path / "plain.jpg"))
    np.testing.assert_array_equal(read_image(tmp_path / "turned.jpg"), upright)


def test_cmyk(tmp_path):
    (tmp_path / "p.jpg").write_bytes(cmyk_jpeg([(200, 100, 50, 255), (255, 255, 255, 60), (0, 255, 255, 255)]))
    image = read_image(tmp_path / "p.jpg")
    assert image.shape == (8, 24, 3)
    # Without black ink the inverted inks are red, green and blue; black alone is grey.
    for block, colour in enumerate([(200, 100, 50), (60, 60, 60), (0, 255, 255)]):
        np.testing.assert_allclose(image[:, 8 * block : 8 * block + 8].astype(int), np.broadcast_to(colour, (8, 8, 3)), atol=2)


@pytest.mark.parametrize("kind", WHOLE)
def test_cut_short(tmp_path, kind):
    data = WHOLE[kind]
    path = tmp_path / "p"
    for tail in (b"", b"\0" * 100, bytes(range(256))):
        path.write_bytes(data + tail)
        assert read_image(path).shape == (200, 300, 3)
    for kept in (1, 10, len(data) // 10, len(data) // 3, len(data) * 9 // 10, len(data) - 2, len(data) - 1):
        path.write_bytes(data[:kept])
        with pytest.raises(InputError, match="damaged or cut short") as caught:
            read_image(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts", "thumbnail", "png"])
def test_cut_short_and_filled_with_zeros(tmp_path, kind):
    data = WHOLE[kind]
    for kept in (len(data) // 3, len(data) * 9 // 10):
        (tmp_path / "p").write_bytes(data[:kept] + bytes(len(data) - kept))
        with pytest.raises(InputError, match="damaged or cut short"):
            read_image(tmp_path / "p")


def test_unreadable_files(tmp_path, capfd):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "tiff.tif").write_bytes(encoded(picture(), ".tiff")[:1000])
    for name in ("empty.jpg", "text.jpg", "tiff.tif", "absent.jpg", "."):
        with pytest.raises(InputError, match=str(tmp_path)):
            read_image(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        read_image(tmp_path / "absent.jpg")
    assert capfd.readouterr().err == ""


def test_real_pictures(real_data):
    assert read_image(real_data / "bccd/JPEGImages/BloodImage_00000.jpg").shape == (480, 640, 3)
    dog = read_image(next((real_data / "darknet/images").glob("dog*")))
    assert dog.shape == (576, 768, 3)


@pytest.mark.parametrize("name", ["picture.unheard", "picture", "absent/folder.png"])
def test_unwritable(tmp_path, name):
    with pytest.raises(InputError, match=name):
        write_image(tmp_path / name, picture())
    assert not (tmp_path / name).exists()


def test_opencv_that_cannot_load_is_one_line(tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file:\\n no such file')")
    code = "import yolojax.errors\ntry:\n import yolojax.data.images\nexcept yolojax.errors.InputError as error:\n print(error)"
    run = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"],
                         capture_output=True, text=True, check=True)  # fmt: skip
    assert run.stdout.count("\n") == 1 and "libGL.so.1" in run.stdout and "opencv-python-headless" in run.stdout


def test_the_host_side_does_not_import_jax():
    modules = ", ".join(f"yolojax.data.{name}" for name in ("annotations", "images", "augment", "digits", "convert"))
    code = f"import sys, {modules}; assert 'jax' not in sys.modules and 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_letterbox_of_known_sizes():
    assert letterbox_transform((480, 640), (416, 416)) == ImageTransform(0.65, 0, 52)
    assert letterbox_transform((640, 480), (416, 416)) == ImageTransform(0.65, 52, 0)
    assert letterbox_transform((100, 100), (320, 416)) == ImageTransform(3.2, 48, 0)
    # 333 * (416 / 500) = 277.056: 277 rows, and of the 139 rows of margin the odd one is below.
    assert letterbox_transform((333, 500), (416, 416)) == ImageTransform(0.832, 0, 69)


def test_letterbox_of_the_right_size_is_the_same_picture():
    image = picture(64, 96)
    fitted, transform = letterbox(image, (64, 96))
    assert fitted is image and transform == (1, 0, 0)


@pytest.mark.parametrize(("shape", "size"), [((1, 5000), (32, 32)), ((5000, 1), (64, 32)), ((1, 1), (32, 64))])
def test_letterbox_of_slivers(shape, size):
    fitted, transform = letterbox(np.zeros((*shape, 3), np.uint8), size)
    assert fitted.shape == (*size, 3)
    assert letterbox_transform(shape, size) == transform
    assert (fitted == 0).any()


_LENGTH = st.integers(1, 200)


@settings(deadline=None, max_examples=60)
@given(height=_LENGTH, width=_LENGTH, rows=st.integers(1, 5), columns=st.integers(1, 5))
def test_letterbox_is_the_picture_on_grey(height, width, rows, columns):
    size = (32 * rows, 32 * columns)
    image = np.full((height, width, 3), (250, 0, 7), np.uint8)
    fitted, (scale, left, top) = letterbox(image, size)
    scale_by_hand = min(size[1] / width, size[0] / height)
    new_height, new_width = max(1, int(scale_by_hand * height)), max(1, int(scale_by_hand * width))
    expected = np.full((*size, 3), 128, np.uint8)
    for y in range((size[0] - new_height) // 2, (size[0] - new_height) // 2 + new_height):
        for x in range((size[1] - new_width) // 2, (size[1] - new_width) // 2 + new_width):
            expected[y, x] = (250, 0, 7)
    np.testing.assert_array_equal(fitted, expected)
    assert scale == scale_by_hand and (left, top) == ((size[1] - new_width) // 2, (size[0] - new_height) // 2)


@settings(deadline=None, max_examples=60)
@given(
    original=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    boxes=st.lists(st.tuples(*[st.floats(-100, 4000, width=32)] * 4), max_size=4),
)
def test_boxes_there_and_back(original, size, boxes):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    scale, left, top = transform = letterbox_transform(original, (32 * size[0], 32 * size[1]))
    there = letterbox_boxes(boxes, transform)
    assert there.dtype == np.float32
    for box, (x1, y1, x2, y2) in zip(there, boxes.astype(np.float64), strict=True):
        by_hand = [scale * x1 + left, scale * y1 + top, scale * x2 + left, scale * y2 + top]
        np.testing.assert_allclose(box, by_hand, rtol=1e-6, atol=1e-5)
    back = unletterbox_boxes(there, transform)
    assert back.dtype == np.float32
    resolution = np.spacing(np.float32(4096)) * (1 + max(scale, 1) / scale) * max(1, scale)
    np.testing.assert_allclose(back, boxes, atol=resolution, rtol=1e-6)
