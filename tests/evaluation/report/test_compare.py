import re

from tests.helpers.evaluations import FIRST, NAMES, SECOND, TRUTHS, Source, evaluated
from tests.helpers.html_reader import Reader
from yolojax.evaluation.report.compare import format_comparison, write_comparison
from yolojax.evaluation.report.history import read_history
from yolojax.evaluation.report.saved import read_evaluation


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
