"""What the bytes of picture files say: sizes (`test_image_size` has the cases), and whether a JPEG is whole."""

import pytest

from tests.helpers.picture_files import WHOLE
from yolojax.data.headers import is_cut_jpeg, stored_size


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
