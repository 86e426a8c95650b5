"""The confusion matrix of a report, in full and as its largest mistakes."""

import re

import numpy as np
import pytest

from yolojax.data.images import read_image
from yolojax.evaluation.report.confusion import MISTAKES, confusion
from yolojax.evaluation.report.plots import NAMED


def metrics(matrix):
    names = [*(f"<{place}>" for place in range(len(matrix) - 1)), "background"]
    return {"names": names, "matrix": np.asarray(matrix).tolist(), "score_threshold": 0.25, "iou_threshold": 0.5}


def text_rows(html):
    """The texts of the cells of each row of a page's tables."""
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.S)]
    return [[re.sub(r"<[^>]*>", "", cell) for cell in row] for row in cells]


def test_a_small_matrix_is_shown_in_full_with_the_shares_of_its_rows(tmp_path):
    html = "\n".join(confusion(tmp_path, metrics([[6, 2, 0], [0, 0, 0], [3, 1, 0]])))
    assert text_rows(html) == [
        ["truth \\ detected", "&lt;0&gt;", "&lt;1&gt;", "background"],
        ["&lt;0&gt;", "6", "2", "·"],
        ["&lt;1&gt;", "·", "·", "·"],
        ["background", "3", "1", "·"],
    ]
    # Rows without any truth have no tint, and white numbers stand on dark tints alone.
    tints = re.findall(r"rgb\(42 93 132 / ([\d.]+)\)(;color:#fff)?", html)
    assert tints == [("0.75", ";color:#fff"), ("0.25", ""), ("0.75", ";color:#fff"), ("0.25", "")]
    assert "a score of at least 0.250 " in html and "an IoU of at least 0.50" in html and "<details>" not in html
    assert read_image(tmp_path / "confusion.png").ndim == 3


@pytest.mark.parametrize("mistakes", [0, 3, 40])
def test_of_a_large_matrix_the_largest_mistakes_are_listed(tmp_path, mistakes):
    number = NAMED + 1
    matrix = np.diag([100] * number + [0])
    matrix[-1, :] = matrix[:, -1] = 50  # the background is not another class
    off = [(row, column) for row in range(number) for column in range(number) if row != column][:mistakes]
    for count, (row, column) in enumerate(off, start=1):
        matrix[row, column] = count
    html = "\n".join(confusion(tmp_path, metrics(matrix)))
    before = html[: html.index("<details>")]
    if not mistakes:
        assert "No class was confused with another." in before
        return
    title, *rows = text_rows(before[before.index("detected as") - 300 :])
    expected = [[f"&lt;{row}&gt;", f"&lt;{column}&gt;", str(count)] for count, (row, column) in enumerate(off, start=1)]
    assert title == ["truth", "detected as", "count"] and rows == expected[::-1][:MISTAKES]
    assert len(text_rows(html[html.index("<details>") :])) == number + 2
