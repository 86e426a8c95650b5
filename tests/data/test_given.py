"""Pictures as programs hold them are what `read_image` makes of the same file."""

import io
import sys

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.picture_files import UPRIGHT, encoded, picture
from yolojax.data.given import as_image, each, is_one
from yolojax.data.images import read_image
from yolojax.errors import InputError

NOISE = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)


@pytest.fixture
def pillow():
    return pytest.importorskip("PIL.Image")


def pillow_pictures(pillow):
    """Pictures of every mode that a PNG can hold, by name."""
    colours, alpha = pillow.fromarray(NOISE), pillow.fromarray(NOISE[..., 1])
    ramp = np.arange(63).reshape(7, 9)
    see_through = colours.quantize(8)
    see_through.info["transparency"] = bytes([0, 128, 255, 3])
    one_colour = colours.copy()
    one_colour.info["transparency"] = tuple(map(int, NOISE[0, 0]))
    return {
        "RGB": colours, "L": colours.convert("L"), "1": colours.convert("1"), "P": colours.quantize(8),
        "LA": pillow.merge("LA", (colours.convert("L"), alpha)), "RGBA": pillow.merge("RGBA", (*colours.split(), alpha)),
        "P with alpha": see_through, "RGB with alpha": one_colour,
        "I;16 of 16 bits": pillow.fromarray((1040 * ramp).astype(np.uint16)),
        "I;16 of 12 bits": pillow.fromarray((65 * ramp).astype(np.uint16)),
        "I;16 of 10 bits": pillow.fromarray((16 * ramp).astype(np.uint16)),
        "I;16 without light": pillow.fromarray((0 * ramp).astype(np.uint16)),
    }  # fmt: skip


MODES = (
    "RGB", "L", "1", "P", "LA", "RGBA", "P with alpha", "RGB with alpha",
    "I;16 of 16 bits", "I;16 of 12 bits", "I;16 of 10 bits", "I;16 without light",
)  # fmt: skip


@pytest.mark.parametrize("name", MODES)
def test_pillow_pictures_are_read_as_their_files(pillow, name, tmp_path):
    made = pillow_pictures(pillow)[name]
    assert made.mode == name.split()[0]
    made.save(tmp_path / "a.png")
    expected = read_image(tmp_path / "a.png")
    with pillow.open(tmp_path / "a.png") as opened:
        for image in (made, opened):
            given = as_image(image, 0)
            assert given.dtype == np.uint8 and is_one(image)
            np.testing.assert_array_equal(given, expected)


def test_pillow_pictures_of_32_bits_hold_16(pillow):
    deep = np.array([[0, 255, 4096, 65535]], np.int32)
    np.testing.assert_array_equal(as_image(pillow.fromarray(deep), 0)[..., 0], [[0, 0, 16, 255]])
    for wrong in (deep - 1, deep + 1, deep.astype(np.float32)):
        with pytest.raises(InputError, match=r"images\[3\]: a Pillow picture of mode [IF] .* from 0 to 65535"):
            as_image(pillow.fromarray(wrong), 3)


def test_inks_and_other_colours_of_pillow(pillow):
    colours = pillow.fromarray(picture())
    for mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"):
        image = colours if mode == "LAB" else colours.convert(mode)
        np.testing.assert_array_equal(as_image(image, 0), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_pillow_pictures_are_turned_upright(pillow, ending, orientation, tmp_path):
    exif = pillow.Exif()
    exif[0x0112] = orientation
    pillow.fromarray(picture()).save(tmp_path / f"a.{ending}", exif=exif)
    expected = read_image(tmp_path / f"a.{ending}")
    with pillow.open(tmp_path / f"a.{ending}") as opened:
        given = as_image(opened, 0)
    assert given.shape == expected.shape
    # The two decode a JPEG with different rounding.
    np.testing.assert_allclose(given.astype(int), expected.astype(int), atol=3 if ending == "jpg" else 0)
    if ending == "png":
        np.testing.assert_array_equal(given, UPRIGHT[orientation](picture()))


def test_pillow_pictures_that_cannot_be_decoded_are_named(pillow, tmp_path):
    (tmp_path / "cut.png").write_bytes(encoded(picture(), ".png")[:900])
    with pillow.open(tmp_path / "cut.png") as opened, pytest.raises(InputError, match=r"images\[2\]: .*truncated"):
        as_image(opened, 2)
    closed = pillow.fromarray(NOISE)
    closed.close()
    with pytest.raises(InputError, match=r"images\[2\]: "):
        as_image(closed, 2)


def test_pillow_is_not_imported(monkeypatch):
    """A class that only looks like Pillow's is enough."""
    monkeypatch.setitem(sys.modules, "PIL", None)

    class Image:
        __module__ = "PIL.Image"
        mode = "RGB"
        convert = staticmethod(lambda mode: NOISE)
        getexif = staticmethod(dict)

    np.testing.assert_array_equal(as_image(Image(), 0), NOISE)


def test_files_and_their_contents(tmp_path):
    image, content = picture(), encoded(picture()[..., ::-1], ".png")
    (tmp_path / "a.png").write_bytes(content)

    class Response:
        """As that of urllib: it can be read, once, and no more."""

        def read(self, size=-1):
            assert size == -1
            return content

    with open(tmp_path / "a.png", "rb") as file:
        for given in (file, io.BytesIO(content), Response(), content, bytearray(content), memoryview(content)):
            assert is_one(given)
            np.testing.assert_array_equal(as_image(given, 0), image)


def test_files_that_hold_no_picture_are_named(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(picture(), ".png"))
    read = io.BytesIO(b"abc")
    read.read()
    closed = io.BytesIO(b"abc")
    closed.close()
    for given, message in (
        (io.BytesIO(b"no picture"), r"images\[1\]: not a picture that OpenCV can read"),
        (b"picture.png", r"images\[1\]: not a picture that OpenCV can read.*bytes are taken as the content of a file"),
        (read, r"images\[1\]: there is nothing to read; .*seek\(0\)"),
        (closed, r"images\[1\]: .*closed file"),
        (io.StringIO("text"), r"images\[1\]: a file of text; open it with mode \"rb\""),
    ):
        with pytest.raises(InputError, match=message):
            as_image(given, 1)
    for given, message in (
        (cv2.VideoCapture(), "read.. of VideoCapture gives tuple, not the bytes"),
        (type(read), "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            as_image(given, 1)
    with open(tmp_path / "a.png", encoding="utf-8") as text, pytest.raises(InputError, match=r"a\.png: a file of text; open"):
        as_image(text, 1)
    with open(tmp_path / "b.png", "wb") as file, pytest.raises(InputError, match=r"b\.png: .*read"):
        as_image(file, 1)


def test_arrays_of_other_libraries():
    given = jnp.asarray(NOISE)
    assert is_one(given) and isinstance(as_image(given, 0), np.ndarray)
    np.testing.assert_array_equal(as_image(given, 0), NOISE)
    assert not is_one(given[None])
    (only,) = each(given[None])
    np.testing.assert_array_equal(only, NOISE)


def test_images_one_after_another():
    images = [NOISE, NOISE[:4], NOISE[:, :3]]
    for given in (
        images,
        tuple(images),
        iter(images),
        (image for image in images),
        {n: i for n, i in enumerate(images)}.values(),
    ):
        assert not is_one(given)
        for image, expected in zip(each(given), images, strict=True):
            np.testing.assert_array_equal(image, expected)
    taken = []
    numbers = (taken.append(n) or NOISE for n in range(10))
    next(each(numbers))
    assert taken == [0]  # none is read before it is wanted


def test_paths_in_an_array(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for path in paths:
        cv2.imwrite(path, NOISE[..., ::-1])
    for array in (np.array(paths), np.array(paths, object)):
        assert not is_one(array) and [image.tolist() for image in each(array)] == [NOISE.tolist()] * 2


@pytest.mark.parametrize("images", [None, 0, 1.5, object()])
def test_what_is_no_image_and_no_series_of_images(images):
    with pytest.raises(InputError, match=rf"images must be .* not {type(images).__name__}"):
        list(each(images))


def test_arrays_with_other_numbers_say_what_to_do():
    with pytest.raises(InputError, match=r"images\[4\] must be an RGB array .* not \(7, 9, 3\) of float32; .* 255 .*uint8"):
        as_image(np.zeros((7, 9, 3), np.float32), 4)
