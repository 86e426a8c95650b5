"""Sample images of a report."""

import numpy as np

from tests.helpers.hand_made import NAMES, TRUTHS, A, B, C
from yolojax.data.images import read_image
from yolojax.draw import draw_detections
from yolojax.evaluation import write_samples


def test_samples_show_truths_and_the_better_detections(tmp_path):
    images = [np.full((480, 640, 3), 90, np.uint8), np.full((120, 160, 3), 90, np.uint8)]
    detections = [([A, B, C], [0.9, 0.8, 0.1], [0, 1, 3]), ([], [], [])]
    paths = write_samples(tmp_path / "samples", images, detections, TRUTHS, NAMES)
    assert [path.name for path in paths] == ["sample_000.png", "sample_001.png"]
    first, second = (read_image(path) for path in paths)
    np.testing.assert_array_equal(first[-480:, :640], draw_detections(images[0], [A, B, C], [0, 1, 1], NAMES))
    expected = draw_detections(images[0], [A, B], [0, 1], NAMES, [0.9, 0.8])
    np.testing.assert_array_equal(first[-480:, -640:], expected)
    # The small picture is enlarged four times.
    np.testing.assert_array_equal(second[-480:, -640:], np.full((480, 640, 3), 90))


def test_samples_are_reduced_if_wanted(tmp_path):
    images = [np.full(size, 90, np.uint8) for size in ((1080, 1920, 3), (2000, 500, 3), (480, 300, 3))]
    truth = np.zeros((0, 4)), np.zeros(0, int)
    paths = write_samples(tmp_path, images, [([], [], [])] * 3, [truth] * 3, NAMES, longest_side=960)
    sides = [max(read_image(path).shape) for path in paths]
    assert sides == [960, 960, 960]
