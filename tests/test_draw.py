import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.draw import class_color, draw_detections, side_by_side
from yolojax.runtime.opencv import cv2

NAMES = ["cat", "dog", "a rather long name of a class"]


def grey(height=480, width=640):
    return np.full((height, width, 3), 100, np.uint8)


def changed(before, after):
    return (before != after).any(axis=-1)


def test_edges_lie_where_the_box_is_and_nothing_else_changes():
    image = grey()
    drawn = draw_detections(image, [[100, 200, 300, 400]], [1], NAMES)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    for row, column in [(200, 150), (399, 150), (300, 100), (300, 299)]:
        assert tuple(drawn[row, column]) == class_color(1)
    touched = changed(image, drawn)
    assert not touched[205:395, 105:295].any()
    touched[170:405, 95:305] = False
    assert not touched.any()


def test_lines_are_centred_on_the_first_and_last_pixels_of_the_box():
    image = grey()
    touched = changed(image, draw_detections(image, [[100, 200, 300, 400]], [1], NAMES))
    assert np.flatnonzero(touched[300]).tolist() == [99, 100, 101, 298, 299, 300]
    assert np.flatnonzero(touched[350:, 200]).tolist() == [48, 49, 50]


def test_never_writes_into_the_picture_and_takes_any_memory_layout():
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    expected = draw_detections(image, [[10, 50, 200, 200]], [0], NAMES, [0.5])
    for same in (image[:, :, ::-1].copy()[:, :, ::-1], np.asfortranarray(image), image[::-1].copy()[::-1]):
        same.setflags(write=False)
        before = same.copy()
        np.testing.assert_array_equal(draw_detections(same, [[10, 50, 200, 200]], [0], NAMES, [0.5]), expected)
        np.testing.assert_array_equal(same, before)
    unchanged = draw_detections(image, np.zeros((0, 4)), [], NAMES)
    np.testing.assert_array_equal(unchanged, image)
    assert not np.shares_memory(unchanged, image)


def test_small_pictures_are_enlarged_by_a_whole_number():
    image = grey(120, 160)
    drawn = draw_detections(image, [[10, 40, 100, 110]], [0], NAMES)
    assert drawn.shape == (480, 640, 3)
    for row, column in [(160, 200), (439, 200), (300, 40), (300, 399)]:
        assert tuple(drawn[row, column]) == class_color(0)
    assert draw_detections(grey(300, 416), [], [], NAMES).shape == (600, 832, 3)
    # A strip would become enormous; it stays as it is.
    assert draw_detections(grey(10, 3000), [[0, 0, 5, 5]], [0], NAMES).shape == (10, 3000, 3)


def test_lines_and_letters_grow_with_the_picture():
    def thickness_and_tag(height, width):
        image = grey(height, width)
        box = np.array([width, height, 3 * width, 3 * height]) / 4
        touched = changed(image, draw_detections(image, [box], [0], NAMES))
        return np.count_nonzero(touched[:, width // 2]), height / 4 - np.flatnonzero(touched.any(axis=1))[0]

    line, tag = thickness_and_tag(480, 640)
    line_4k, tag_4k = thickness_and_tag(2160, 3840)
    assert line_4k >= 2 * line
    assert tag_4k >= 3 * tag


@pytest.mark.parametrize("place", [(0, 0), (0, 540), (430, 0), (430, 540), (-40, -90), (-40, 590), (450, 590), (200, -90)])
def test_the_whole_label_stays_in_the_picture(place):
    def letters(top, left):
        drawn = draw_detections(grey(), [[left, top, left + 100, top + 50]], [2], NAMES, [0.75])
        # Only letters are nearly black, and the same letters have the same number of such pixels anywhere.
        return (drawn.max(axis=-1) < 60).sum()

    assert letters(200, 300) > 100
    assert letters(*place) == letters(200, 300)


def test_a_label_wider_than_the_picture_is_made_smaller():
    image = grey(480, 480)
    touched = changed(image, draw_detections(image, [[0, 100, 40, 140]], [0], ["name " * 20]))
    assert touched[80:100, :470].any()
    tag = np.flatnonzero(touched.any(axis=0))
    # Most of the width is used, and no letter is in the margin: the text was fitted, not cut.
    assert tag[-1] >= 400
    assert not (draw_detections(image, [[0, 100, 40, 140]], [0], ["name " * 20])[:, 477:] == 0).all(axis=-1).any()


def test_labels_stand_out_from_their_tag():
    def luminance(color):
        part = np.asarray(color) / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    for class_id in range(80):
        drawn = draw_detections(grey(), [[100, 200, 300, 400]], [class_id], None)
        white = (drawn.min(axis=-1) > 220).any()
        # The contrast of web accessibility (WCAG 2); 4.5 is what it asks of small text.
        low, high = sorted([luminance((255,) * 3 if white else (0,) * 3), luminance(class_color(class_id))])
        assert (high + 0.05) / (low + 0.05) >= 4.5, class_id


def test_eighty_colours_differ():
    colors = np.array([class_color(class_id) for class_id in range(80)], np.float32) / 255
    lab = cv2.cvtColor(colors[None], cv2.COLOR_RGB2LAB)[0]
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1000 * np.eye(80)
    assert distance.min() > 15
    assert distance[:20, :20].min() > 30
    assert class_color(80) == class_color(0)


def test_scores_change_the_label_and_the_best_is_on_top():
    boxes = [[100, 200, 300, 400], [100, 200, 300, 400]]
    for scores, top in (([0.9, 0.2], 0), ([0.2, 0.9], 1)):
        assert tuple(draw_detections(grey(), boxes, [0, 1], NAMES, scores)[300, 100]) == class_color(top)
    with_score = draw_detections(grey(), boxes[:1], [0], NAMES, [0.25])
    assert changed(with_score, draw_detections(grey(), boxes[:1], [0], NAMES)).any()
    np.testing.assert_array_equal(with_score, draw_detections(grey(), boxes[:1], [0], ["cat 0.25"]))


@pytest.mark.parametrize(("class_id", "names"), [(5, NAMES), (5, None), (-1, NAMES)])
def test_a_class_without_a_name_is_labelled_by_its_number(class_id, names):
    drawn = draw_detections(grey(), [[100, 200, 300, 400]], [class_id], names)
    # Tags differ by their text alone: class 79 has the colour of -1.
    numbered = ["0", "1", "2", "3", "4", "5", *[""] * 73, "-1"]
    expected = draw_detections(grey(), [[100, 200, 300, 400]], [class_id % 80], numbered)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("box", [[-50, -50, -1, -1], [640, 0, 700, 50], [0, 480, 50, 1e9], [-9, 0, 0, 9], [90, 90, 80, 95]])
def test_boxes_outside_or_inverted_are_not_drawn(box):
    np.testing.assert_array_equal(draw_detections(grey(), [box], [0], NAMES), grey())


def test_a_huge_box_is_drawn_around_the_picture():
    drawn = draw_detections(grey(), [[-1e30, -1e30, 1e30, 1e30]], [0], NAMES)
    assert all(tuple(drawn[place]) == class_color(0) for place in [(0, 320), (479, 320), (240, 0), (240, 639)])


coordinate = st.floats(-1e12, 1e12, allow_nan=False) | st.floats(-20, 80) | st.sampled_from([-np.inf, np.inf, 0.0])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 70), st.integers(1, 70), st.lists(st.tuples(*[coordinate] * 4), max_size=4))
def test_any_box_can_be_drawn_on_any_picture(height, width, boxes):
    count = len(boxes)
    drawn = draw_detections(grey(height, width), np.array(boxes).reshape(-1, 4), [0] * count, NAMES, [0.5] * count)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] % height == drawn.shape[1] % width == 0
    assert drawn.shape[0] // height == drawn.shape[1] // width


@pytest.mark.parametrize(
    ("image", "boxes", "classes", "scores", "message"),
    [
        (grey().astype(np.float32), [], [], None, "image is float32"),
        (grey()[..., 0], [], [], None, r"shape \(480, 640\)"),
        (grey()[:0], [], [], None, r"shape \(0, 640, 3\)"),
        (grey(), [[0, 0, 1, 1]], [], None, "1 boxes"),
        (grey(), [[0, 0, 1, 1]], [0], [0.1, 0.2], "1 boxes"),
        (grey(), [[0, 0, np.nan, 1]], [0], None, "NaN"),
    ],
)
def test_refuses(image, boxes, classes, scores, message):
    with pytest.raises(ValueError, match=message):
        draw_detections(image, boxes, classes, NAMES, scores)


def test_side_by_side_puts_pictures_in_line_whatever_their_titles():
    picture = np.zeros((60, 80, 3), np.uint8)
    row = side_by_side([picture, picture], ["aaa", "gyp_"])
    black = [(row[:, column] == 0).all(1).nonzero()[0] for column in (70, -10)]
    assert len(black[0]) == 60
    np.testing.assert_array_equal(*black)


def test_side_by_side_keeps_the_pictures_under_their_titles():
    left, right = np.full((480, 640, 3), (30, 100, 60), np.uint8), np.full((500, 700, 3), 30, np.uint8)
    row = side_by_side([left, right], ["truth", "detections"])
    # Letters are grey: the first pixel of this green is the picture's corner.
    top, first = np.argwhere((row == (30, 100, 60)).all(axis=-1))[0]
    np.testing.assert_array_equal(row[top : top + 480, first : first + 640], left)
    place = row.shape[1] - 700
    assert place > 640
    np.testing.assert_array_equal(row[-500:, place:], right)
    # Both titles are there, in black on white.
    assert (row[:top, :640] < 60).any()
    assert (row[:-500, place:] < 60).any()


def test_half_of_a_surrogate_pair_in_a_name_does_not_crash():
    image = np.full((60, 200, 3), 128, np.uint8)
    drawn = draw_detections(image, [[10, 30, 60, 50]], [0], ["\ud800\x1b"])
    np.testing.assert_array_equal(drawn, draw_detections(image, [[10, 30, 60, 50]], [0], [r"\ud800\x1b"]))
    np.testing.assert_array_equal(side_by_side([image], ["\udfff"]), side_by_side([image], [r"\udfff"]))
