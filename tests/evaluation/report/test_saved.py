"""Evaluations that are read back, and those that cannot be compared."""

import numpy as np
import pytest

from tests.helpers.evaluations import FIRST, IDS, NAMES, TRUTHS, B, Source, evaluated
from yolojax.errors import InputError
from yolojax.evaluation.report.compare import write_comparison
from yolojax.evaluation.report.saved import check_fits, read_evaluation
from yolojax.runtime.files import write_json


def test_what_cannot_be_compared_is_refused_with_what_to_run(tmp_path):
    metrics, outcome = evaluated(tmp_path / "a/eval/val", FIRST)
    with pytest.raises(
        InputError, match=r"a has no evaluation on the split 'test'; run: python -m yolojax eval .*a --split test"
    ):
        read_evaluation(tmp_path / "a", "test")
    with pytest.raises(
        InputError, match=r"is for the split 'val', not 'test'; run: python -m yolojax eval --workdir \S*a --split test"
    ):
        read_evaluation(tmp_path / "a/eval/val", "test")
    other = read_evaluation(tmp_path / "a", "val")
    check_fits(other, NAMES[::-1], 4)
    with pytest.raises(InputError, match="other classes than this run: cat, <b>&"):
        check_fits(other, [*NAMES, "dog"], 4)
    with pytest.raises(InputError, match="evaluated on 4 images, but this split has 5; run: "):
        check_fits(other, NAMES, 5)
    moved = [TRUTHS[0], ([B], [1]), *TRUTHS[2:]]
    evaluated(tmp_path / "moved/eval/val", FIRST, truths=moved)
    moved = read_evaluation(tmp_path / "moved", "val")
    with pytest.raises(InputError, match="not the same data; run: python"):
        write_comparison(tmp_path, metrics, outcome, Source(), other.history, moved)
    write_json(tmp_path / "a/eval/val/detections.json", [{"image_id": 1}])
    with pytest.raises(InputError, match=r"detections\.json is not in COCO's results format"):
        read_evaluation(tmp_path / "a", "val")
    (tmp_path / "a/eval/val/detections.json").write_text("[")
    with pytest.raises(InputError, match=r"detections\.json cannot be read"):
        read_evaluation(tmp_path / "a", "val")
    write_json(tmp_path / "a/eval/val/metrics.json", {"split": "val", "ap": 0.5})
    (tmp_path / "a/eval/val/detections.json").write_text("[]")
    with pytest.raises(InputError, match="was written by an older version; run: "):
        read_evaluation(tmp_path / "a", "val")
    (tmp_path / "a/eval/val/metrics.json").write_text("[1]")
    with pytest.raises(InputError, match="is for the split None"):
        read_evaluation(tmp_path / "a", "val")


def test_detections_come_back_as_they_were_written(tmp_path):
    evaluated(tmp_path, FIRST)
    detections = read_evaluation(tmp_path, "val").detections
    assert list(detections) == [0, 2, 3]
    for image_id, (boxes, scores, classes) in detections.items():
        expected = FIRST[IDS.index(image_id)]
        np.testing.assert_allclose(boxes, expected[0])
        np.testing.assert_allclose(scores, expected[1])
        np.testing.assert_array_equal(classes, expected[2])
