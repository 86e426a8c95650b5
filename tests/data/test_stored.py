"""JPEGs that are decoded later: the same pixels as at once, smaller ones where they are asked for, the same messages."""

import dataclasses
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.helpers.example_pictures import smooth_example
from tests.helpers.picture_files import WHOLE, without_tables
from yolojax.data.images import read_image
from yolojax.data.source import UnreadablePicture
from yolojax.data.stored import REDUCTIONS, StoredJpeg, open_stored
from yolojax.errors import InputError


def jpeg(folder, image, **options):
    path = folder / "picture.jpg"
    Image.fromarray(image).save(path, quality=98, **options)
    return path


@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts", "thumbnail"])
def test_a_jpeg_is_what_it_is_when_read_at_once(tmp_path, kind):
    path = tmp_path / "picture.jpg"
    path.write_bytes(WHOLE[kind])
    stored = open_stored(path, "list.txt:1")
    assert isinstance(stored, StoredJpeg) and stored.reducible
    expected = read_image(path)
    assert stored.shape == expected.shape
    np.testing.assert_array_equal(stored.read(), expected)


@pytest.mark.parametrize("size", [(120, 160), (123, 161), (5, 3)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_pixel_of_a_smaller_one_is_the_mean_of_those_it_stands_for(tmp_path, size, reduction):
    image = smooth_example(3, *size).image
    smaller = open_stored(jpeg(tmp_path, image, subsampling=0), "").read(reduction)
    height, width = -(-size[0] // reduction), -(-size[1] // reduction)
    assert smaller.shape == (height, width, 3) and smaller.dtype == np.uint8
    filled = np.pad(image, ((0, height * reduction - size[0]), (0, width * reduction - size[1]), (0, 0)), mode="edge")
    means = filled.reshape(height, reduction, width, reduction, 3).mean((1, 3))
    assert np.abs(smaller - means).mean() < 3
    # Not only alike: red is red, and neither half a pixel nor a row too far.
    assert np.corrcoef(smaller.ravel(), means.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_is_stored_turned_is_not_decoded_smaller(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = jpeg(tmp_path, smooth_example(0, 40, 60).image, exif=exif)
    stored = open_stored(path, "")
    assert stored.reducible == (orientation == 1)
    assert stored.shape == read_image(path).shape
    np.testing.assert_array_equal(stored.read(), read_image(path))


def test_a_jpeg_of_inks_is_read_as_opencv_does(tmp_path):
    content = io.BytesIO()
    Image.fromarray(smooth_example(1).image).convert("CMYK").save(content, "JPEG")
    path = tmp_path / "inks.jpg"
    path.write_bytes(content.getvalue())
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path))[..., ::-1])
    np.testing.assert_array_equal(open_stored(path, "").read(), read_image(path))


def test_other_pictures_are_decoded_at_once(tmp_path):
    for kind in ("png", "bmp"):
        path = tmp_path / f"picture.{kind}"
        path.write_bytes(WHOLE[kind])
        np.testing.assert_array_equal(open_stored(path, ""), read_image(path))


def test_damage_is_found_when_it_is_decoded(tmp_path):
    path = tmp_path / "damaged.jpg"
    path.write_bytes(without_tables(WHOLE["baseline"]))
    stored = open_stored(path, "list.txt:7")
    for reduction in (1, *REDUCTIONS):
        with pytest.raises(UnreadablePicture, match=r"^list\.txt:7: .*damaged\.jpg: not a picture that OpenCV can read"):
            stored.read(reduction)


@pytest.mark.parametrize("reduction", [1, 4])
def test_a_picture_of_another_size_than_its_header_says_is_refused(tmp_path, reduction):
    path = tmp_path / "odd.jpg"
    path.write_bytes(WHOLE["baseline"])
    stored = dataclasses.replace(open_stored(path, "list.txt:2"), shape=(300, 200, 3))
    with pytest.raises(UnreadablePicture, match=r"^list\.txt:2: .*odd\.jpg: the picture has .* as its header says; save it"):
        stored.read(reduction)


def test_what_is_no_whole_picture_is_refused_at_once(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(WHOLE["baseline"][:-100])
    for refused, message in ((path, "cut short"), (tmp_path / "none.jpg", "cannot be read: No such file")):
        with pytest.raises(InputError, match=message):
            open_stored(refused, "")


@pytest.mark.parametrize("reduction", [1, *REDUCTIONS])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_transposed_one_is_what_it_was_with_rows_and_columns_exchanged(tmp_path, reduction, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = open_stored(jpeg(tmp_path, smooth_example(0, 41, 60).image, exif=exif), "")
    turned = stored.transpose()
    assert turned.shape == (stored.shape[1], stored.shape[0], 3) and turned.transpose().shape == stored.shape
    if orientation == 1 or reduction == 1:
        np.testing.assert_array_equal(turned.read(reduction), stored.read(reduction).transpose(1, 0, 2))
    assert turned.transpose().read().shape == stored.shape
