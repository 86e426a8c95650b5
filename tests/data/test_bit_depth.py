"""16-bit pictures of which only 10 or 12 bits are used, and values that no picture of 8 bits can show."""

import cv2
import numpy as np
import pytest

from tests.helpers.picture_files import encoded, picture
from yolojax.data.images import read_image, read_image_and_bits
from yolojax.errors import InputError

RAMP = (np.arange(48 * 64) * 4095 // (48 * 64 - 1)).reshape(48, 64).astype(np.uint16)  # 0 to 4095


def read(tmp_path, content):
    (tmp_path / "p").write_bytes(content)
    return read_image_and_bits(tmp_path / "p")


@pytest.mark.parametrize("ending", [".png", ".tiff", ".jp2", ".pgm"])
@pytest.mark.parametrize(("bits", "stored"), [(12, RAMP), (10, RAMP // 4), (12, np.full((48, 64), 1024, np.uint16))])
def test_fewer_bits_keep_their_upper_eight(tmp_path, ending, bits, stored):
    image, found = read(tmp_path, encoded(stored, ending))
    assert found == bits and image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, np.repeat((stored >> (bits - 8)).astype(np.uint8)[..., None], 3, 2))
    np.testing.assert_array_equal(read_image(tmp_path / "p"), image)


def test_colours_stay_in_their_channels(tmp_path):
    stored = np.dstack([RAMP, RAMP[::-1], RAMP // 2])
    image, bits = read(tmp_path, encoded(stored, ".png"))
    assert bits == 12
    np.testing.assert_array_equal(image, (stored >> 4).astype(np.uint8)[..., ::-1])


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("largest", [4096, 16383, 65535])
def test_pictures_that_use_more_bits_are_read_as_they_were(tmp_path, ending, largest):
    stored = (RAMP.astype(np.float64) * largest / 4095).astype(np.uint16)
    content = encoded(stored, ending)
    image, bits = read(tmp_path, content)
    assert bits is None and stored.max() == largest
    np.testing.assert_array_equal(image, cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("stored", [picture() // 17, np.zeros((48, 64), np.uint16), np.zeros((48, 64), np.uint8)])
@pytest.mark.parametrize("ending", [".png", ".bmp", ".tiff"])
def test_dark_pictures_of_eight_bits_and_black_ones_stay_dark(tmp_path, stored, ending):
    if stored.dtype == np.uint16 and ending == ".bmp":
        return  # a BMP has 8 bits
    image, bits = read(tmp_path, encoded(stored, ending))
    assert bits is None and image.max() == stored.max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_of_other_numbers_is_refused_with_what_it_is(tmp_path, dtype, channels, capfd):
    stored = np.repeat(RAMP.astype(dtype)[..., None], channels, 2)
    with pytest.raises(InputError, match=r"p: a TIFF of \d\d-bit (fractions|whole numbers) is not read; save it with 8 or 16"):
        read(tmp_path, encoded(stored, ".tiff"))
    assert capfd.readouterr().err == ""


def test_signed_values(tmp_path):
    image, bits = read(tmp_path, encoded(RAMP.astype(np.int16), ".tiff"))
    assert bits == 12 and image.max() == 255
    with pytest.raises(InputError, match="p: a picture with negative values is not read"):
        read(tmp_path, encoded(RAMP.astype(np.int16) - 2000, ".tiff"))
