import re

import numpy as np
import pytest

from tests.evaluation.report.test_html import Reader
from tests.helpers.made_metrics import made_metrics
from yolojax.errors import InputError
from yolojax.evaluation.evaluate import Evaluation
from yolojax.evaluation.metrics.analysis import analyse
from yolojax.evaluation.metrics.coco import coco_results
from yolojax.evaluation.metrics.summary import summarize
from yolojax.evaluation.report.compare import format_comparison, write_comparison
from yolojax.evaluation.report.history import read_history
from yolojax.evaluation.report.pictures import pictures_to_show
from yolojax.evaluation.report.saved import check_fits, read_evaluation
from yolojax.runtime.files import write_json

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
NAMES = ["cat", "<b>&"]
TRUTHS = [([A, B], [0, 1]), ([A], [0]), ([B, C], [1, 1]), ([C], [0])]
IDS = [0, 2, 3, 9]
# The first run finds all but the last; the second finds nothing in picture 3 and is wrong in picture 0.
FIRST = [([A, B], [0.9, 0.8], [0, 1]), ([A], [0.9], [0]), ([B, C], [0.9, 0.9], [1, 1]), ([], [], [])]
SECOND = [([A, B], [0.9, 0.8], [1, 1]), ([A], [0.9], [0]), ([], [], []), ([], [], [])]


class Source:
    """Grey pictures."""

    def title(self, index):
        return f"<{index}>.jpg"

    def example(self, epoch, index):
        class example:
            image = np.full((30, 60, 3), 100, np.uint8)

        return example


def evaluated(folder, detections, names=NAMES, truths=TRUTHS, **changes):
    """An evaluation in `folder`, as its files and as what eval.py holds in memory."""
    summary = analyse(summarize(detections, truths, names), detections, truths, names)
    pictures = pictures_to_show(detections, truths, IDS, str, summary["best_f1"]["score_threshold"])
    metrics = made_metrics(names) | summary | {"pictures": pictures, "unreadable": 0} | changes
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "detections.json", coco_results(detections, IDS))
    return metrics, Evaluation(summary, detections, truths, IDS)


def test_two_runs_side_by_side(tmp_path):
    metrics, outcome = evaluated(tmp_path / "a/eval/val", FIRST, run="a")
    # The second run numbers the classes the other way round.
    turned_truths = [(boxes, [1 - c for c in classes]) for boxes, classes in TRUTHS]
    turned = [(boxes, scores, [1 - c for c in classes]) for boxes, scores, classes in SECOND]
    config = metrics["config"] | {"seed": 77}
    other_metrics, _ = evaluated(tmp_path / "b <1>/eval/val", turned, NAMES[::-1], turned_truths, config=config)
    (tmp_path / "b <1>/metrics.jsonl").write_text('{"step": 5, "split": "val", "loss": 2.0, "ap50": 0.5}\n')
    other = read_evaluation(tmp_path / "b <1>", "val")
    path = write_comparison(tmp_path / "a/eval/val", metrics, outcome, Source(), read_history(tmp_path / "none"), other)
    assert path.name == "compare_b__1_.html"
    page = path.read_text(encoding="utf-8")
    reader = Reader(page)
    assert "a vs. b <1>" in reader.text and "<b>&" in reader.headings

    # Pictures by the difference of F1: 3 (1.0 and 0.0), then 0 (1.0 and 0.5); in the others they agree.
    titles = re.findall(r"<h4>([^<]*)</h4>", page)
    assert titles == ["&lt;3&gt;.jpg", "&lt;0&gt;.jpg"]
    captions = re.findall(r"<figcaption>([^<]*matched[^<]*)</figcaption>", page)
    assert captions == [
        "a: F1 1.000, 2 matched, 2 detections", "b &lt;1&gt;: F1 0.000, 0 matched, 0 detections",
        "a: F1 1.000, 2 matched, 2 detections", "b &lt;1&gt;: F1 0.500, 1 matched, 2 detections",
    ]  # fmt: skip
    assert page.count("data:image/jpeg") == 2 * 3 and not {"script", "link"} & set(reader.tags)
    assert [reader.texts[i + 1] for i, text in enumerate(reader.texts) if text == "seed"] == ["0"]
    assert "77" in reader.texts and "data.train" not in reader.texts

    rows = [line.split() for line in format_comparison(metrics, other).split("\n")]
    expected = metrics["ap50"], other_metrics["ap50"], metrics["ap50"] - other_metrics["ap50"]
    assert expected[2] > 0.2 and rows[1] == ["AP50", *(f"{value:.3f}" for value in expected[:2]), f"{expected[2]:+.3f}"]
    assert rows[-2][:2] == ["AP50,", "cat"] and rows[-1][:2] == ["AP50,", "<b>&"]
    for row, name in zip(rows[-2:], NAMES, strict=True):
        assert row[2:4] == [f"{m['per_class'][name]['ap50']:.3f}" for m in (metrics, other_metrics)]
    assert f"{expected[2]:+.3f}" in reader.text


def test_an_evaluation_beside_itself(tmp_path):
    metrics, outcome = evaluated(tmp_path / "run", FIRST, run="run")
    other = read_evaluation(tmp_path / "run", "val")
    path = write_comparison(tmp_path, metrics, outcome, Source(), other.history, other)
    text = Reader(path.read_text(encoding="utf-8")).text
    assert "run (now) vs. run (before)" in text and "Both have the same F1 in every image" in text
    assert "The two configurations are the same" in text
    for line in format_comparison(metrics, other).split("\n")[1:]:
        assert line.split()[-1] in ("+0.000", "-")


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
