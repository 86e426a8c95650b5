import json
import math
import re

import numpy as np
import pytest

from tests.helpers.html_reader import Reader
from tests.helpers.made_metrics import made_examples, made_metrics
from yolojax.evaluation.metrics.analysis import analyse
from yolojax.evaluation.metrics.summary import summarize
from yolojax.evaluation.report.history import read_history
from yolojax.evaluation.report.html import write_report
from yolojax.evaluation.report.pictures import pictures_to_show
from yolojax.runtime.files import write_json

NAMES = ['<b>&"', "_under $x$", "猫 2"]
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w]|\.\d)")
NO_HISTORY = {"train": {"step": []}, "val": {"step": []}}


def numbers_of(value):
    """All numbers of nested dicts and lists, and those that stand in its texts."""
    if isinstance(value, dict):
        return [n for key, member in value.items() for n in numbers_of(key) + numbers_of(member)]
    if isinstance(value, list | tuple):
        return [n for member in value for n in numbers_of(member)]
    if isinstance(value, str):
        return [float(token) for token in NUMBER.findall(value)]
    return [float(value)] if isinstance(value, int | float) and math.isfinite(value) else []


def is_rounding(token, numbers):
    digits = len(token.partition(".")[2]) if "e" not in token else 12
    return bool((np.abs(numbers - float(token)) <= 0.5 * 10.0**-digits * (1 + 1e-9)).any())


def report_of(folder, metrics, examples=None, history=NO_HISTORY):
    path = write_report(folder, metrics, made_examples(metrics) if examples is None else examples, history)
    return path.read_text(encoding="utf-8")


def real_metrics(detections, truths, names):
    """Metrics as an evaluation makes them, read back from their file's text."""
    metrics = made_metrics(names)
    summary = analyse(summarize(detections, truths, names), detections, truths, names)
    best = summary["best_f1"]["score_threshold"]
    ids = list(range(len(truths)))
    return metrics | summary | {"pictures": pictures_to_show(detections, truths, ids, str, best)}


@pytest.mark.parametrize("number", [1, 3, 80])
def test_every_number_on_the_page_is_one_of_the_metrics(tmp_path, number):
    names = NAMES[:number] if number < 80 else [f"class {place}" for place in range(80)]
    metrics = made_metrics(names)
    page = report_of(tmp_path, metrics)
    shown = NUMBER.findall(Reader(page).text)
    allowed = numbers_of({key: value for key, value in metrics.items() if key != "curves"})
    # Where classes are counted: "all 80 classes".
    allowed = np.array([*allowed, number])
    assert len(shown) > 100 and [token for token in shown if not is_rounding(token, allowed)] == []
    # The test sees a wrong number.
    assert not is_rounding("0.99999", allowed) and not is_rounding("7654321", allowed)
    expected = [metrics[key] for key in ("ap", "ap50", "ap75", "voc_ap50")] + list(metrics["best_f1"].values())
    for row in [*metrics["per_class"].values(), *metrics["per_size"].values(), *metrics["errors"].values()]:
        expected += row.values()
    missing = [value for value in expected if (str(value) if isinstance(value, int) else f"{value:.3f}") not in shown]
    assert missing == []
    assert f"{metrics['stage_seconds']['nms']:.5f}" in shown and "40.82" in shown


def test_names_are_shown_as_they_are(tmp_path):
    metrics = made_metrics(NAMES, absent={"without_truth": NAMES[:1], "without_detections": []}, run="<i>&amp;")
    reader = Reader(report_of(tmp_path, metrics))
    for name in NAMES:
        assert reader.headings.count(name) == 3  # a row of the classes, a row and a column of the confusions
    assert 'the means leave them out: <b>&".' in reader.text and "best <4>.jpg" in reader.text
    assert "i" in reader.tags and "<i>&amp;" in reader.texts
    assert "Never detected" not in reader.text


def test_the_page_needs_nothing_but_itself(tmp_path):
    metrics = made_metrics([f"c{place}" for place in range(80)])
    write_lines(tmp_path / "metrics.jsonl")
    page = report_of(tmp_path, metrics, history=read_history(tmp_path / "metrics.jsonl"))
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    assert all(value.startswith("data:image/") for value in reader.loaded) and len(reader.loaded) > 8
    assert "@import" not in page and "@font-face" not in page
    assert set(re.findall(r"https?://[^\"' ]*", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert len(reader.ids) == len(set(reader.ids))
    assert {reference.strip("#") for reference in reader.references} <= set(reader.ids)
    assert reader.tags.count("svg") == 5
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html", "precision_recall.png", "f1.png", "confusion.png", "loss.png", "ap.png", "metrics.jsonl",
    }  # fmt: skip
    # All of the matrix, and the tables of the classes.
    assert reader.tags.count("tr") > 81 + 81


def write_lines(path):
    lines = [
        {"step": step, "split": split, "loss": 9.0 / step, "box": 1.0, "objectness": 3.0, "classification": 1.0, "ap50": 0.5}
        for step in (5, 10)
        for split in ("train", "val")
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


A, B = [0, 0, 10, 10], [20, 0, 30, 10]
CASES = {
    "nothing": ([], []),
    "no detections": ([([], [], [])] * 2, [([A], [0]), ([B], [1])]),
    "no truths": ([([A, B], [0.9, 0.2], [0, 1])] * 2, [([], [])] * 2),
    "neither in a picture": ([([], [], [])], [([], [])]),
    "ignored truths": ([([A], [0.9], [0])], [([A], [0], [True])]),
    "perfect": ([([A, B], [0.9, 0.8], [0, 1])] * 9, [([A, B], [0, 1])] * 9),
}


@pytest.mark.parametrize(
    "case, number",
    [*((case, 2) for case in CASES), *(pytest.param(case, 80, marks=pytest.mark.slow) for case in ("nothing", "perfect"))],
)
def test_numbers_that_are_not_defined_are_dashes(tmp_path, case, number):
    names = NAMES[:2] if number == 2 else [f"c{place}" for place in range(number)]
    detections, truths = CASES[case]
    metrics = real_metrics(detections, truths, names)
    image = np.zeros((40, 50, 3), np.uint8)
    examples = dict(enumerate(zip([image] * len(truths), detections, truths, strict=True)))
    page = report_of(tmp_path / "a", metrics, examples)
    write_json(tmp_path / "metrics.json", metrics)
    # The same page from the file, where undefined numbers are null.
    assert report_of(tmp_path / "b", json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")), examples) == page
    text = Reader(page).text
    assert not re.search(r"\b(nan|None|inf|null)\b", text.partition("Configuration")[0])
    tiles = re.findall(r"<dd>([^<]*)<", page)
    defined = case in ("no detections", "perfect")
    assert (tiles[0] == "\N{EN DASH}") == (not defined)
    if case == "perfect":
        assert tiles[:7] == ["1.000"] * 7 and page.count("data:image/jpeg") == 2 * 9
