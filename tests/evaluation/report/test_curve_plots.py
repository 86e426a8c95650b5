"""The curves of a report: which lines they have, what their captions say, and their files."""

import json
import re

import numpy as np
import pytest

from tests.helpers.made_metrics import made_metrics
from yolojax.data.images import read_image
from yolojax.evaluation.report import curve_plots as module
from yolojax.evaluation.report.curve_plots import class_mean, curve_plots, training_plots
from yolojax.evaluation.report.history import read_history
from yolojax.evaluation.report.page import table
from yolojax.evaluation.report.plots import NAMED


@pytest.mark.parametrize("number", [2, NAMED, NAMED + 1])
def test_classes_are_named_as_long_as_they_are_few(tmp_path, number):
    names = [f"<{place}>" for place in range(number)]
    html = curve_plots(tmp_path, made_metrics(names))
    assert html.count("<svg") == 2 and html.count("</i>all</span>") == 2
    for name in names:
        assert html.count(f"</i>&lt;{name[1:-1]}&gt;</span>") == (2 if number <= NAMED else 0)
    first, second = re.findall("<figcaption>(.*?)</figcaption>", html)
    assert "dotted line marks the best F1" in second and "dotted line" not in first
    for file in ("precision_recall", "f1"):
        assert read_image(tmp_path / f"{file}.png").ndim == 3


def test_classes_without_a_curve_and_a_best_f1_that_is_none(tmp_path):
    metrics = made_metrics(["a", "b"])
    metrics["curves"]["precision"]["b"] = metrics["curves"]["f1"]["b"] = None
    metrics["best_f1"]["score_threshold"] = None
    html = curve_plots(tmp_path, metrics)
    assert html.count("</i>a</span>") == 2 and "</i>b</span>" not in html and "dotted line" not in html


def test_the_mean_over_classes_leaves_out_what_is_not_defined():
    mean = class_mean({"a": [1.0, None, None], "b": [0.5, 0.25, None], "c": None})
    np.testing.assert_allclose(mean, [0.75, 0.25, np.nan])


@pytest.mark.parametrize("step", [None, 10])
def test_the_course_of_a_training_run(tmp_path, step):
    lines = [{"step": 5, "split": "train", "loss": 2.0, "box": 1.0}, {"step": 10, "split": "val", "loss": 1.5, "ap50": 0.5}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    loss, ap = training_plots(tmp_path, read_history(tmp_path / "metrics.jsonl"), step)
    for name in ("loss, training", "box, training", "loss, validation"):
        assert f"</i>{name}</span>" in loss
    assert "</i>AP50</span>" in ap and "</i>AP</span>" not in ap and "objectness" not in loss
    assert all(("marks the checkpoint of this report" in figure) == (step is not None) for figure in (loss, ap))
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "loss.png", "ap.png"}


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws the curves of metrics; returns {axis: (lines, mark)}."""

    def draw(metrics):
        figures = {}
        plain = module.line_figure

        def record(lines, **options):
            figures[options["y_label"]] = lines, options.get("mark")
            return plain(lines, **options)

        monkeypatch.setattr(module, "line_figure", record)
        curve_plots(tmp_path, metrics)
        return figures

    return draw


def one_class():
    metrics = made_metrics(["cell"])
    metrics["curves"]["f1_all"] = metrics["curves"]["f1"]["cell"]
    return metrics


def test_the_curve_of_an_only_class_is_not_covered(drawn):
    for lines, _ in drawn(one_class()).values():
        assert [line.name for line in lines] == ["cell"]


def test_the_curve_of_all_classes_stays_where_it_differs(drawn):
    for lines, _ in drawn(made_metrics(["cat", "dog"])).values():
        assert [line.name for line in lines] == ["cat", "dog", "all"]
    metrics = one_class()
    metrics["curves"]["f1_all"] = [0.9 * value for value in metrics["curves"]["f1"]["cell"]]
    assert [line.name for line in drawn(metrics)["F1"][0]] == ["cell", "all"]


@pytest.mark.parametrize("metrics", [one_class(), made_metrics(["cat", "dog"])], ids=["one", "two"])
def test_the_mark_stands_on_the_maximum(drawn, metrics):
    # Between two points of the curve, higher than both.
    metrics["best_f1"] |= {"score_threshold": 0.5037, "f1": max(metrics["curves"]["f1_all"]) + 0.01}
    lines, mark = drawn(metrics)["F1"]
    assert mark == 0.5037 and lines[-1].x[np.nanargmax(lines[-1].y)] == mark
    assert np.all(np.diff(lines[-1].x) >= 0) and len(lines[-1].x) == 102


def test_without_a_best_f1_nothing_is_marked(drawn):
    metrics = made_metrics(["cat", "dog"])
    metrics["best_f1"] |= {"score_threshold": None, "f1": None}
    lines, mark = drawn(metrics)["F1"]
    assert mark is None and len(lines[-1].x) == 101


def test_wide_tables_say_that_they_scroll():
    titles = ("class", "a", "b", "c", "d", "e")
    assert 'class="wider"' in table(titles, [["x"] * 6]) and 'class="wider"' not in table(titles[:5], [["x"] * 5])
