"""What the bytes of picture files say: sizes (`test_image_size` has the cases), and whether a JPEG is whole."""

import pytest

from tests.helpers.picture_files import WHOLE, exif, with_segment
from yolojax.data.headers import is_cut_jpeg, jpeg_frame, stored_size
from yolojax.data.images import read_image


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


@pytest.mark.parametrize("kind", ["two segments", "behind the frame", "other magic", "several values"])
def test_of_unusual_exif_the_size_is_that_of_the_picture_or_not_known(tmp_path, kind):
    def segment(orientation):
        return b"Exif\0\0" + exif(orientation)

    data = WHOLE["baseline"]
    if kind == "two segments":
        data = with_segment(with_segment(data, 0xE1, segment(1)), 0xE1, segment(6))
    elif kind == "behind the frame":
        end = data.index(b"\xff\xda")
        data = data[:end] + b"\xff\xe1" + (len(segment(6)) + 2).to_bytes(2, "big") + segment(6) + data[end:]
    elif kind == "other magic":
        tiff = bytearray(exif(6))
        tiff[2:4] = b"\x07\x07"
        data = with_segment(data, 0xE1, b"Exif\0\0" + bytes(tiff))
    else:
        order = "big" if exif(6)[:2] == b"MM" else "little"
        one, three = ((count).to_bytes(4, order) + (6).to_bytes(2, order) for count in (1, 3))
        data = with_segment(data, 0xE1, segment(6).replace(one, three))
    (tmp_path / "a.jpg").write_bytes(data)
    assert stored_size(data) in (None, read_image(tmp_path / "a.jpg").shape[:2])
