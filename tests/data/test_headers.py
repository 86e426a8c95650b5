"""What the bytes of picture files say: sizes (`test_image_size` has the cases), and whether a JPEG is whole."""

import pytest

from tests.helpers.picture_files import WHOLE, exif, with_segment
from yolojax.data.headers import is_cut_jpeg, jpeg_frame, stored_size


@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts", "thumbnail"])
def test_end_of_a_jpeg(kind):
    # Newer OpenCV refuses cut files itself; this is what stands in for it on 4.10.
    data = WHOLE[kind]
    assert not is_cut_jpeg(data) and not is_cut_jpeg(data + b"\xff\xd8\xff")
    assert all(is_cut_jpeg(data[:kept]) for kept in range(2, len(data), 97))
    assert is_cut_jpeg(data[:-1]) and not is_cut_jpeg(WHOLE["png"][:100])


@pytest.mark.parametrize("kind", WHOLE)
def test_stored_sizes(kind):
    expected = (200, 300) if kind not in ("bmp", "webp") else None
    assert stored_size(WHOLE[kind]) == expected
    assert stored_size(WHOLE[kind][:20]) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_frames_of_jpegs(orientation):
    data = with_segment(WHOLE["baseline"], 0xE1, b"Exif\0\0" + exif(orientation))
    assert jpeg_frame(data) == ((300, 200) if orientation > 4 else (200, 300), orientation == 1)
    assert jpeg_frame(data[:20]) is None and jpeg_frame(WHOLE["png"]) is None
