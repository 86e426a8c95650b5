"""The pieces of a report's page."""

import base64
import re

import cv2
import numpy as np
import pytest

from yolojax.draw import class_color
from yolojax.evaluation.report.page import drawn


def test_pictures_are_of_modest_size_in_the_colours_of_their_classes():
    rng = np.random.default_rng(0)
    for size in ((1500, 2000), (100, 120), (40, 4000)):
        image = rng.integers(90, 110, (*size, 3), dtype=np.uint8)
        box = [[0.1 * size[1], 0.2 * size[0], 0.9 * size[1], 0.8 * size[0]]]
        tag = drawn(image, box, [1], ["a", "b"])
        encoded = base64.b64decode(re.search(r"base64,([^\"]*)", tag)[1])
        pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        height, width = pixels.shape[:2]
        assert max(height, width) <= 960 and f'width="{width}" height="{height}"' in tag
        assert width / height == pytest.approx(size[1] / size[0], rel=0.1)
        if min(size) > 60:
            edge = pixels[height // 2, round(0.1 * width) - 3 : round(0.1 * width) + 4].astype(int)
            assert np.abs(edge - class_color(1)).sum(1).min() < 90
        assert len(encoded) < 250_000
