"""metrics.json of an earlier evaluation, with entries missing, of other types or hostile."""

import copy
import json
import math
import os
import random

import numpy as np
import pytest

from tests.helpers.evaluations import FIRST, IDS, NAMES, Source, evaluated
from yolojax.errors import InputError
from yolojax.evaluation.metrics.coco import coco_results
from yolojax.evaluation.report.compare import format_comparison, write_comparison
from yolojax.evaluation.report.saved import check_fits, read_evaluation
from yolojax.evaluation.report.saved_metrics import check_metrics
from yolojax.runtime.files import write_json

OTHERS = [None, True, -1, 10**400, 1e308, math.nan, math.inf, "text", [], {}, [[1]], {"a": 1}, [None] * 101, ["x"] * 101]


def places(value, keys=()):
    """The keys of all entries of nested groups and lists, of a list only the first and the last."""
    yield keys
    inner = (
        value.items()
        if isinstance(value, dict)
        else [(0, value[0]), (-1, value[-1])]
        if value and isinstance(value, list)
        else []
    )
    for key, entry in inner:
        yield from places(entry, (*keys, key))


def changed(value, keys, new):
    value = copy.deepcopy(value)
    holder = value
    for key in keys[:-1]:
        holder = holder[key]
    if new is KeyError:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = new
    return value


def without_drawing(monkeypatch):
    """Leaves out figures and pictures, which take nearly all of the time, but not what a figure demands of its lines."""

    def line_figure(lines, **_options):
        for line in lines:
            assert np.array(line.x, float).shape == np.array(line.y, float).shape

    monkeypatch.setattr("yolojax.evaluation.report.compare.line_figure", line_figure)
    monkeypatch.setattr("yolojax.evaluation.report.compare.plot", lambda *_: "")
    monkeypatch.setattr("yolojax.evaluation.report.compare_pictures.drawn", lambda *_: "")


def compared(tmp_path, metrics, outcome):
    """Whether a comparison with the evaluation in tmp_path/other can be made; any error but InputError fails the test."""
    try:
        other = read_evaluation(tmp_path / "other", "val")
        check_fits(other, NAMES, len(IDS))
        write_comparison(tmp_path, metrics, outcome, Source(), other.history, other)
        format_comparison(metrics, other)
    except InputError as error:
        assert str(tmp_path / "other") in str(error) and "\n" not in str(error)
        return False
    return True


def test_metrics_that_are_not_as_they_were_written_are_refused_or_compared(tmp_path, monkeypatch):
    metrics, outcome = evaluated(tmp_path / "other", FIRST)
    without_drawing(monkeypatch)
    assert compared(tmp_path, metrics, outcome)
    wrong, chance = 0, random.Random(0)
    for keys in places(metrics):
        if not keys or keys[0] in ("confusion", "errors", "per_size", "absent", "stage_seconds") or len(keys) > 4:
            continue
        for new in (KeyError, *chance.sample(OTHERS, 4)) if keys[0] != "config" else ("text",):
            (tmp_path / "other/metrics.json").write_text(json.dumps(changed(metrics, keys, new)))
            wrong += not compared(tmp_path, metrics, outcome)
    assert wrong > 100


def test_detections_that_are_not_as_they_were_written_are_refused_or_compared(tmp_path, monkeypatch):
    metrics, outcome = evaluated(tmp_path / "other", FIRST)
    without_drawing(monkeypatch)
    results = coco_results(FIRST, IDS)
    wrong = 0
    for keys in places(results):
        for new in (KeyError, *OTHERS, [1, 2], [1, 2, 3, 4, 5, 6, 7, 8], 2) if keys else OTHERS:
            (tmp_path / "other/detections.json").write_text(json.dumps(changed(results, keys, new) if keys else new))
            wrong += not compared(tmp_path, metrics, outcome)
    assert wrong > 100


@pytest.mark.parametrize("name", ["metrics.json", "detections.json"])
def test_a_pipe_in_the_place_of_a_file_does_not_wait(tmp_path, name):
    evaluated(tmp_path, FIRST)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: the file cannot be read: Not a regular file"):
        read_evaluation(tmp_path, "val")


def test_the_entry_is_named(tmp_path):
    metrics, _ = evaluated(tmp_path, FIRST)
    for keys, new, message in (
        (("ap50",), "0.5", "ap50 is no number"),
        (("best_f1", "recall"), KeyError, "best_f1.recall is missing"),
        (("per_class", "cat", "boxes"), -1, "per_class.cat.boxes is no whole number from 0"),
        (("curves", "f1", "cat"), [0.5], "curves.f1.cat is no list of 101 numbers"),
        (("config",), None, "config is no configuration"),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            check_metrics(changed(metrics, keys, new))
    nested = {"a": 1}
    for _ in range(5000):
        nested = {"a": nested}
    with pytest.raises(ValueError, match="config is nested too deeply"):
        check_metrics(metrics | {"config": nested})
    write_json(tmp_path / "metrics.json", metrics | {"loss": "low"})
    with pytest.raises(InputError, match=r"metrics\.json is damaged, or not from an evaluation: loss is no number; run: "):
        read_evaluation(tmp_path, "val")
