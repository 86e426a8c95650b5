"""The curves of a report: every class is visible, and the best F1 stands where it is marked."""

import numpy as np
import pytest

from tests.helpers.made_metrics import made_metrics
from yolojax.evaluation.report import curve_plots
from yolojax.evaluation.report.page import table


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws the curves of metrics; returns {axis: (lines, mark)}."""

    def draw(metrics):
        figures = {}
        plain = curve_plots.line_figure

        def record(lines, **options):
            figures[options["y_label"]] = lines, options.get("mark")
            return plain(lines, **options)

        monkeypatch.setattr(curve_plots, "line_figure", record)
        curve_plots.curve_plots(tmp_path, metrics)
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
