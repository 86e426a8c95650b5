"""The images in which two evaluations differ most."""

import re
from pathlib import Path

import numpy as np

from yolojax.data.example import Example
from yolojax.evaluation.evaluate import Evaluation
from yolojax.evaluation.report.compare_pictures import SHOWN, compare_pictures
from yolojax.evaluation.report.saved import SavedEvaluation

A, B = [0, 0, 10, 10], [20, 0, 30, 10]
NAMES = ("cat", "dog")


class Source:
    def title(self, index):
        return f"{index}&.png"

    def example(self, epoch, index):
        return Example(np.full((40, 60, 3), 90, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))


def metrics(threshold, names=NAMES):
    return {"per_class": {name: {} for name in names}, "pictures": {"score_threshold": threshold}}


def rows(detections, truths, ids, other, other_names=NAMES, threshold=0.5):
    """The titles of the images that are shown, and the captions of their panels, from two lists of detections."""
    arrays = {i: tuple(map(np.asarray, members)) for i, members in zip(ids, other, strict=True) if len(members[0])}
    history = {"train": {}, "val": {}}
    saved = SavedEvaluation("b", Path("b"), metrics(threshold, other_names), arrays, history, "run: ")
    detections = [tuple(map(np.asarray, members)) for members in detections]
    outcome = Evaluation({}, detections, truths, ids)
    html = list(compare_pictures(["a", "b"], metrics(0.5), outcome, Source(), saved))
    titles = [re.findall(r"<h4>(.*?)</h4>", part) for part in html[1:]]
    captions = [re.findall(r"<figcaption>(.*?)</figcaption>", part) for part in html[1:]]
    return html[0], [title for (title,) in titles], captions


NOTHING = ([], [], [])
BOTH = ([A, B], [0.9, 0.8], [0, 1])
ONE = ([A], [0.9], [0])


def test_larger_differences_come_first_and_equal_images_are_left_out():
    truths = [([A, B], [0, 1]), ([A, B], [0, 1]), ([A, B], [0, 1]), ([], [])]
    note, titles, captions = rows([BOTH, BOTH, BOTH, NOTHING], truths, [3, 5, 8, 9], [ONE, BOTH, NOTHING, NOTHING])
    assert "0.500 and 0.500" in note and titles == ["8&amp;.png", "3&amp;.png"]
    assert captions == [
        ["ground truth", "a: F1 1.000, 2 matched, 2 detections", "b: F1 0.000, 0 matched, 0 detections"],
        ["ground truth", "a: F1 1.000, 2 matched, 2 detections", "b: F1 0.667, 1 matched, 1 detections"],
    ]


def test_classes_are_matched_by_name_and_each_run_has_its_own_threshold():
    turned = ([A, B], [0.9, 0.8], [1, 0])
    note, titles, _ = rows([BOTH], [([A, B], [0, 1])], [3], [turned], NAMES[::-1])
    assert note == '<p class="note">Both have the same F1 in every image.</p>' and titles == []
    _, _, ((_, _, caption),) = rows([BOTH], [([A, B], [0, 1])], [3], [BOTH], threshold=0.85)
    assert caption == "b: F1 0.667, 1 matched, 1 detections"


def test_only_a_few_images_are_shown():
    number = SHOWN + 3
    _, titles, _ = rows([BOTH] * number, [([A, B], [0, 1])] * number, list(range(number)), [NOTHING] * number)
    assert titles == [f"{index}&amp;.png" for index in range(SHOWN)]
