import json
import math

import numpy as np
import pytest

from tests.helpers.picture_sets import adversarial_sets, random_set
from yolojax.evaluation import analyse, summarize, write_json
from yolojax.evaluation.report.tables import format_absent

A, B, SMALL = [0, 0, 100, 100], [200, 0, 300, 100], [400, 0, 420, 20]
NAMES = ["cat", "dog", "cow"]


def analysis(detections, truths, names=NAMES):
    return analyse(summarize(detections, truths, names), detections, truths, names)


def test_a_hand_made_case():
    # Of cats A is found and SMALL, below a false positive, too; the dog B is missed; cows are never there.
    detections = [([A, [0, 300, 50, 350], SMALL], [0.9, 0.8, 0.3], [0, 0, 0])]
    answer = analysis(detections, [([A, SMALL, B], [0, 0, 1])])
    # All classes: F1 at 0.9 2/4, at 0.3 4/6.
    assert answer["best_f1"] == {
        "score_threshold": 0.3, "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3), "f1": pytest.approx(2 / 3)
    }  # fmt: skip
    cat = answer["per_class"]["cat"]
    assert (cat["score_threshold"], cat["recall"], cat["f1"]) == (0.3, 1.0, pytest.approx(4 / 5))
    assert cat["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101) and cat["detections"] == 3 and cat["boxes"] == 2
    sizes = {name: (row["boxes"], row["recall"]) for name, row in answer["per_size"].items()}
    assert sizes.pop("medium")[0] == 0 and math.isnan(answer["per_size"]["medium"]["recall"])
    assert sizes == {"small": (1, 1.0), "large": (2, 0.5)}
    assert answer["confusion"] == {
        "names": [*NAMES, "background"], "iou_threshold": 0.5, "score_threshold": 0.3,
        "matrix": [[2, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]],
    }  # fmt: skip
    assert answer["errors"]["missed"]["count"] == answer["errors"]["background"]["count"] == 1
    assert answer["absent"] == {"without_truth": ["cow"], "without_detections": ["dog", "cow"]}
    assert format_absent(answer["absent"]) == "no truth of cow; no detection of dog, cow"
    many = {"without_truth": [], "without_detections": list("abcdefghijkl")}
    assert format_absent(many) == "no detection of a, b, c, d, e, f, g, h, i, j and 2 more"
    curves = answer["curves"]
    assert curves["precision"]["cow"] is curves["f1"]["cow"] is None
    assert curves["precision"]["dog"] == [0] * 101
    assert curves["f1_all"][90] == pytest.approx(0.5) and curves["f1_all"][91] == 0
    assert curves["f1"]["cat"][30] == pytest.approx(4 / 5)
    assert len(curves["recall"]) == len(curves["score"]) == len(curves["f1_all"]) == 101


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_agree_with_each_other(seed):
    detections, truths = random_set(np.random.default_rng(seed), pictures=20, max_detections=25)
    before = summarize(detections, truths, NAMES)
    answer = analyse(before, detections, truths, NAMES)
    assert "recall" not in before["per_size"]["small"] and "f1" not in before["per_class"]["cat"]
    for name, row in answer["per_class"].items():
        # Matched by us, the area under the curve is the average precision of the library.
        assert np.mean(answer["curves"]["precision"][name]) == pytest.approx(row["ap50"], abs=1e-12)
        assert row["f1"] >= max(answer["curves"]["f1"][name]) - 1e-12
        assert row["f1"] == pytest.approx(2 / (1 / row["precision"] + 1 / row["recall"]))
    matrix, best = np.array(answer["confusion"]["matrix"]), answer["best_f1"]
    assert matrix[:3].sum() == answer["boxes"]
    assert np.trace(matrix) / matrix[:3].sum() == pytest.approx(best["recall"])
    assert np.trace(matrix) / matrix[:, :3].sum() == pytest.approx(best["precision"])
    assert answer["best_f1"]["f1"] >= max(answer["curves"]["f1_all"]) - 1e-12


@pytest.mark.parametrize("name", adversarial_sets())
def test_adversarial_sets_have_no_number_that_json_lacks(name, tmp_path):
    detections, truths = adversarial_sets()[name]
    answer = analysis(detections, truths)
    write_json(tmp_path / "metrics.json", answer)
    read = json.loads((tmp_path / "metrics.json").read_text())

    def numbers(value):
        if isinstance(value, dict | list):
            for member in value.values() if isinstance(value, dict) else value:
                yield from numbers(member)
        elif isinstance(value, int | float):
            yield value

    assert all(value >= 0 for value in numbers(read))
    counted = sum(row["boxes"] for row in read["per_class"].values())
    assert (read["best_f1"]["f1"] is None) == (counted == 0 or name == "huge coordinates")
    for class_name, row in read["per_class"].items():
        assert (class_name in read["absent"]["without_truth"]) == (row["f1"] is None)
        assert (class_name in read["absent"]["without_detections"]) == (row["detections"] == 0)


def test_lists_of_numbers_take_one_line(tmp_path):
    value = {"curve": [0.5, None, 1], "matrix": [[1, 2], [3, 4]], "names": ["a [\n1\n]", "b"], "empty": []}
    write_json(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text()
    assert json.loads(text) == value
    assert '"curve": [0.5, null, 1]' in text and "\n  [1, 2],\n" in text
