import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

from yolojax.data.images import read_image
from yolojax.evaluation.report.curve_plots import class_mean, training_plots
from yolojax.evaluation.report.plots import Line, confusion_figure, line_figure, row_shares, save_png, to_svg


def test_svgs_of_one_page_share_no_ids_and_are_well_formed():
    line = Line("a", (255, 0, 0), [0, 0.5, 1], [1, None, 0.2], "dots")
    texts = [to_svg(line_figure([line], x_label="x", y_label="y"), prefix) for prefix in ("a-", "b-")]
    ids = []
    for text in texts:
        root = ET.fromstring(text)
        assert root.tag.endswith("svg") and "width" not in root.attrib and root.attrib["viewBox"]
        own = re.findall(r' id="([^"]*)"', text)
        used = re.findall(r'(?:xlink:href="#|url\(#)([^")]*)', text)
        assert own and set(used) == set(own)
        ids += own
    assert len(ids) == len(set(ids))
    assert texts[0].replace('"a-', '"b-').replace("#a-", "#b-") == texts[1]  # the same at every run


@pytest.mark.parametrize("name", ["_hidden", "$", "$x_1$", "猫", "", "a" * 300])
def test_any_name_stands_in_legends_and_matrices(tmp_path, name):
    lines = [Line(name, (255, 255, 0), [0, 1], [0, 1]), Line("b", "#2a5d84", [0, 1], [1, 0], "bold")]
    for number in (1, 2):
        figure = line_figure(lines[:number], x_label="x", y_label="y")
        save_png(figure, tmp_path / f"{number}.png", lines[:number])
    one, two = (read_image(tmp_path / f"{number}.png") for number in (1, 2))
    assert one.shape == two.shape and (one != two).any()
    save_png(confusion_figure([name, "b"], [[1, 0], [2, 0]]), tmp_path / "matrix.png")


def test_curves_of_nothing_and_of_few_points(tmp_path):
    for lines in ([], [Line("a", "#000000", [], [])], [Line("a", "#000000", [1], [None])], [Line("a", "#000000", [1], [0])]):
        save_png(line_figure(lines, x_label="x", y_label="y", share=False, log=True, mark=1), tmp_path / "plot.png", lines)
    nothing = {"train": {"step": np.zeros(0, int)}, "val": {"step": np.zeros(0, int)}}
    assert training_plots(tmp_path / "none", nothing, 3) == []


def test_means_and_shares():
    assert class_mean({"a": [1.0, 0.5], "b": None, "c": [0.0, None]}) == [0.5, 0.5]
    assert class_mean({"a": None}) is None and class_mean({}) is None
    np.testing.assert_array_equal(row_shares(np.array([[1.0, 3.0], [0.0, 0.0]])), [[0.25, 0.75], [0, 0]])


def test_figures_leave_the_settings_of_the_program_alone():
    code = (
        "import matplotlib; before = matplotlib.rcParams.copy(); from yolojax.evaluation.report.plots import *;"
        "to_svg(line_figure([], x_label='x', y_label='y'), 'a-'); import sys;"
        "sys.exit(matplotlib.rcParams != before or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_user_who_sets_text_with_latex_needs_none_for_the_report(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    assert to_svg(line_figure([], x_label="x", y_label="y"), "a-").startswith("<svg")
