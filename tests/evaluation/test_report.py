import contextlib
import io
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolojax.data.images import read_image
from yolojax.draw import draw_detections
from yolojax.evaluation import coco_metrics, coco_results, format_table, summarize, write_json, write_samples

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
NAMES = ["cat", "dog", "unicorn", "ghost"]
# cat: two truths over two pictures, one found; dog: one truth, found, and a second that does not count;
# unicorn: neither; ghost: only detected.
FOUND = [([A, B, C], [0.9, 0.8, 0.7], [0, 1, 3]), ([], [], [])]
TRUTHS = [([A, B, C], [0, 1, 1], [False, False, True]), ([A], [0], [False])]


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


def test_table_rows_and_numbers(monkeypatch):
    plain = format_table(summarize(FOUND, TRUTHS, NAMES))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    assert format_table(summarize(FOUND, TRUTHS, NAMES)) == plain
    lines = plain.split("\n")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line and not line.strip().startswith("-")}
    assert list(rows) == ["class", *NAMES, "all"]
    assert rows["cat"] == ["2", "2", "0.505", "0.505", "0.500", "0.545"]
    assert rows["unicorn"] == ["0", "0", "-", "-", "-", "-"]
    assert rows["all"] == ["2", "3", "0.752", "0.752", "0.750", "0.773"]
    assert plain.isascii()


def test_table_stays_aligned_with_eighty_classes_and_long_names():
    names = [f"[bold]class {place}[/bold] :smile: " + "x" * (place % 40) for place in range(79)] + ["y" * 300]
    lines = format_table(summarize(FOUND, TRUTHS, names)).split("\n")
    text = [line for line in lines if line and not line.strip().startswith("-")]
    assert len(text) == 82
    assert len({len(line) for line in text}) == 1
    assert len(text[0]) < 120
    assert text[5].startswith(names[4])
    assert text[-2].startswith("y" * 40)


def test_coco_results_hold_what_the_detections_do():
    found = [(np.float32([[1.25, 2.5, 11.125, 22.75]]), np.float32([0.987654]), np.int32([7])), ([], [], [])]
    assert coco_results(found, ["a.jpg", "b.jpg"]) == [
        {"image_id": "a.jpg", "category_id": 7, "bbox": [1.25, 2.5, 9.875, 20.25], "score": 0.987654}
    ]
    with pytest.raises(ValueError, match="zip"):
        coco_results(found, [1])


def test_coco_results_are_read_by_the_coco_library(tmp_path):
    rng = np.random.default_rng(0)
    truths, found = [], []
    for _ in range(5):
        corner = rng.random((6, 2)) * 200
        boxes = np.concatenate([corner, corner + 10 + rng.random((6, 2)) * 90], axis=1)
        truths.append((boxes, rng.integers(0, 2, 6)))
        found.append((boxes + rng.normal(0, 5, boxes.shape), rng.random(6), truths[-1][1]))
    write_json(tmp_path / "detections.json", coco_results(found, range(5)))
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
    answer = list(coco_metrics(found, truths).values())
    assert 0.1 < answer[0] < 0.9
    np.testing.assert_allclose(np.where(np.isnan(answer), -1, answer), evaluation.stats, atol=1e-12)


def test_json_is_strict_whole_and_replaces_the_old(tmp_path):
    path = tmp_path / "eval" / "val" / "metrics.json"
    value = {"ap": float("nan"), "a": [np.float32(0.5), (np.int64(3), -math.inf)], "é": {"n": None, "t": True}}
    write_json(path, {"old": 1})
    write_json(path, value)

    def refuse(name):
        raise AssertionError(name)

    text = path.read_text(encoding="utf-8")
    expected = {"ap": None, "a": [0.5, [3, None]], "é": {"n": None, "t": True}}
    assert json.loads(text, parse_constant=refuse) == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["metrics.json"]
    write_json(path, [value, value])
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == [expected, expected]
    write_json(path, [])
    assert json.loads(path.read_text(encoding="utf-8")) == []
    write_json(path, summarize(FOUND, TRUTHS, NAMES))
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)["per_class"]["unicorn"]["ap50"] is None


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"old": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_samples_show_truths_and_the_better_detections(tmp_path):
    images = [np.full((480, 640, 3), 90, np.uint8), np.full((120, 160, 3), 90, np.uint8)]
    found = [([A, B, C], [0.9, 0.8, 0.1], [0, 1, 3]), ([], [], [])]
    paths = write_samples(tmp_path / "samples", images, found, TRUTHS, NAMES)
    assert [path.name for path in paths] == ["sample_000.png", "sample_001.png"]
    first, second = (read_image(path) for path in paths)
    np.testing.assert_array_equal(first[-480:, :640], draw_detections(images[0], [A, B, C], [0, 1, 1], NAMES))
    expected = draw_detections(images[0], [A, B], [0, 1], NAMES, [0.9, 0.8])
    np.testing.assert_array_equal(first[-480:, -640:], expected)
    # The small picture is enlarged four times.
    np.testing.assert_array_equal(second[-480:, -640:], np.full((480, 640, 3), 90))


def test_evaluation_and_drawing_load_no_jax():
    code = "import sys, yolojax.evaluation, yolojax.draw; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
