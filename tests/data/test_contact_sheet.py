"""The contact sheet shows the boxes, and the cells and anchors that answer, where they are."""

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.contact_sheet import _slots_of_scale, contact_sheet
from yolojax.draw import class_color
from yolojax.grid import AnchorGrid
from yolojax.targets import assign

GRID = AnchorGrid((128, 192), (16, 32), (((20, 10),), ((60, 50),)))


def record(*rows):
    table = np.array(rows, float).reshape(-1, 5)
    return Record("folder/\u00fc.png", table[:, :4].astype(np.float32), table[:, 4].astype(np.int32), "l:1")


def panels(sheet):
    """The three panels of the one row, without titles and the white between them."""
    top = len(sheet) - 128
    gaps = np.flatnonzero((sheet[top:] == 255).all((0, 2)))
    starts = [0, *(gaps[1:][np.diff(gaps) == 1] + 1)]
    starts = [s for s in starts if s + 192 <= sheet.shape[1] and s not in gaps]
    return [sheet[top:, start : start + 192] for start in starts]


def test_slots_are_drawn_in_their_places():
    image = np.full((128, 192, 3), 200, np.uint8)
    # Centres (72, 72) and (144, 48): IoU 1 and 0.3 with an anchor at the cell's centre, (72, 72) and (144, 48).
    sheet = contact_sheet([(record((62, 67, 82, 77, 3), (114, 23, 174, 73, 1)), image)], None, GRID)
    drawn, fine, coarse = panels(sheet)
    assert (drawn != 200).any()
    tint = {c: np.round(0.6 * np.array(class_color(c)) + 0.4 * 200) for c in (1, 3)}

    expected = np.full((128, 192, 3), 200.0)
    expected[64:80, 64:80] = tint[3]
    expected[[67, 76], 62:82] = expected[67:77, [62, 81]] = class_color(3)
    np.testing.assert_allclose(fine, expected, atol=1)

    expected = np.full((128, 192, 3), 200.0)
    expected[32:64, 128:160] = tint[1]
    expected[[23, 72], 114:174] = expected[23:73, [114, 173]] = class_color(1)
    np.testing.assert_allclose(coarse, expected, atol=1)


def test_pictures_of_any_size_make_rows_of_one_width():
    rng = np.random.default_rng(0)
    pictures = []
    for height, width in ((50, 300), (400, 31), (1, 1)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        before = image.copy()
        pictures.append((record((-9, -9, width * 0.8, height * 0.9, 0), (0, 0, 0.5, 0.5, 1)), image))
        np.testing.assert_array_equal(image, before)
    sheet = contact_sheet(pictures, ("a", "b"), GRID)
    assert sheet.dtype == np.uint8 and sheet.shape[0] > 3 * 128 and sheet.shape[1] >= 3 * 192


def test_slots_are_counted_on_their_scales_for_any_number_of_columns():
    boxes = np.array([[62, 67, 82, 77], [114, 23, 174, 73]], np.float32)
    for rule in ("threshold", "ratio"):
        targets = assign(boxes, [3, 1], GRID, max_boxes=4, rule=rule)
        for scale, (first, count) in enumerate(zip(GRID.offsets, GRID.slots_per_scale, strict=True)):
            rows, slots = _slots_of_scale(targets, GRID, scale)
            expected = [(m, s) for m in range(4) for s in targets.slots[m] if first <= s < first + count]
            assert list(zip(rows.tolist(), slots.tolist(), strict=True)) == expected
