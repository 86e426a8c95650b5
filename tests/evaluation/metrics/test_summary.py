import contextlib
import io
import math
import subprocess
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.helpers.hand_made import FOUND, NAMES, TRUTHS
from yolojax.evaluation import coco_metrics, coco_results, summarize, write_json


def test_summary_of_a_hand_made_case():
    summary = summarize(FOUND, TRUTHS, NAMES)
    assert (summary["images"], summary["boxes"]) == (2, 3)
    # Half of the cats at precision 1: VOC's area is 1/2, six of its 11 points are reached, and 51 of COCO's 101.
    nan = pytest.approx(math.nan, nan_ok=True)
    undefined = {"ap50": nan, "ap": nan, "ap75": nan, "voc_ap50": nan, "voc_ap50_11point": nan}
    assert summary["per_class"] == {
        "cat": {
            "ap50": pytest.approx(51 / 101), "ap": pytest.approx(51 / 101), "ap75": pytest.approx(51 / 101), "voc_ap50": 0.5,
            "voc_ap50_11point": pytest.approx(6 / 11), "images": 2, "boxes": 2, "detections": 1,
        },
        "dog": {
            "ap50": pytest.approx(1), "ap": pytest.approx(1), "ap75": pytest.approx(1), "voc_ap50": 1.0,
            "voc_ap50_11point": pytest.approx(1), "images": 1, "boxes": 1, "detections": 1,
        },
        "unicorn": undefined | {"images": 0, "boxes": 0, "detections": 0},
        "ghost": undefined | {"images": 0, "boxes": 0, "detections": 1},
    }  # fmt: skip
    assert summary["voc_ap50"] == pytest.approx(3 / 4)
    assert summary["voc_ap50_11point"] == pytest.approx((1 + 6 / 11) / 2)
    assert summary["ap50"] == pytest.approx((1 + 51 / 101) / 2)
    metrics = coco_metrics(FOUND, TRUTHS)
    assert len(metrics) == 12
    assert {name: summary[name] for name in metrics} == pytest.approx(metrics, nan_ok=True)


def test_summary_of_nothing():
    summary = summarize([], [], NAMES)
    assert summary["images"] == summary["boxes"] == 0
    assert math.isnan(summary["voc_ap50"]) and math.isnan(summary["ap50"])
    assert list(summary["per_class"]) == NAMES


@pytest.mark.parametrize("names", [NAMES[:3], ["cat", "cat", "dog", "ghost"]])
def test_summary_refuses_missing_and_repeated_names(names):
    with pytest.raises(ValueError, match="names"):
        summarize(FOUND, TRUTHS, names)


def test_coco_results_hold_what_the_detections_do():
    detections = [(np.float32([[1.25, 2.5, 11.125, 22.75]]), np.float32([0.987654]), np.int32([7])), ([], [], [])]
    assert coco_results(detections, ["a.jpg", "b.jpg"]) == [
        {"image_id": "a.jpg", "category_id": 7, "bbox": [1.25, 2.5, 9.875, 20.25], "score": 0.987654}
    ]
    with pytest.raises(ValueError, match="zip"):
        coco_results(detections, [1])


def test_coco_results_are_read_by_the_coco_library(tmp_path):
    rng = np.random.default_rng(0)
    truths, detections = [], []
    for _ in range(5):
        corner = rng.random((6, 2)) * 200
        boxes = np.concatenate([corner, corner + 10 + rng.random((6, 2)) * 90], axis=1)
        truths.append((boxes, rng.integers(0, 2, 6)))
        detections.append((boxes + rng.normal(0, 5, boxes.shape), rng.random(6), truths[-1][1]))
    write_json(tmp_path / "detections.json", coco_results(detections, range(5)))
    dataset = {"images": [{"id": i} for i in range(5)], "categories": [{"id": 0}, {"id": 1}], "annotations": []}
    for picture, (boxes, classes) in enumerate(truths):
        for (left, top, right, bottom), class_id in zip(boxes.tolist(), classes.tolist(), strict=True):
            width, height = right - left, bottom - top
            dataset["annotations"].append({
                "id": len(dataset["annotations"]) + 1, "image_id": picture, "category_id": class_id, "iscrowd": 0,
                "bbox": [left, top, width, height], "area": width * height,
            })  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO()
        index.dataset = dataset | {"info": {}}
        index.createIndex()
        evaluation = COCOeval(index, index.loadRes(str(tmp_path / "detections.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    answer = list(coco_metrics(detections, truths).values())
    assert 0.1 < answer[0] < 0.9
    np.testing.assert_allclose(np.where(np.isnan(answer), -1, answer), evaluation.stats, atol=1e-12)


def test_evaluation_and_drawing_load_no_jax():
    code = "import sys, yolojax.evaluation, yolojax.draw; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
