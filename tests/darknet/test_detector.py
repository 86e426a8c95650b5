"""Darknet detectors find what the reference Darknet finds."""

import functools
import json

import numpy as np
import pytest

from tests.helpers.cfgs import FACE, random_variables
from yolojax.boxes import cxcywh_to_xyxy
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.detector import read_darknet
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import write_weights
from yolojax.data.images import read_image
from yolojax.errors import InputError
from yolojax.models import abstract_variables
from yolojax.predict import Detector

PICTURES = ("dog", "person", "horses", "eagle", "giraffe")
SCORE, BOX = 0.02, 0.01
"""How far scores and box sides (as parts of the box) may lie apart; pictures were decoded by another decoder there."""


@functools.cache
def pictures(folder):
    return [read_image(folder / f"images/{name}.jpg") for name in PICTURES]


@pytest.mark.parametrize("name", ["yolo-fastest-1.1", "yoloface-50k", "yoloface-100k"])
def test_every_detection_of_the_reference_is_found_and_no_other(name, golden, real_data):
    expected = json.loads((golden / f"darknet/{name}.json").read_text())
    files = [real_data / f"darknet/weights/{name}.{ending}" for ending in ("cfg", "weights")]
    detector = Detector.from_darknet(*files)
    stretched = Detector.from_darknet(*files, fit="stretch")
    stretched._backend._programs = detector._backend._programs  # compiled once
    seen = 0
    for mode, one in (("alexeyab.letter0", stretched), ("alexeyab.letter1", detector)):
        found = one(pictures(real_data / "darknet"), score_threshold=0.1, iou_threshold=0.45)
        for picture, detections in zip(PICTURES, found, strict=True):
            outcome = expected[f"{picture}.jpg"][mode]
            sides = np.array([outcome["im_w"], outcome["im_h"]] * 2)
            for truth in outcome["detections"]:
                if truth["prob"] < 0.1 + SCORE:
                    continue
                seen += 1
                box = np.clip(cxcywh_to_xyxy(np.array(truth["box"])) * sides, 0, sides)
                errors = np.abs(detections.boxes - box).max(1) / (box[2:] - box[:2]).min()
                close = (errors < BOX) & (np.abs(detections.scores - truth["prob"]) < SCORE)
                close &= detections.classes == truth["class"]
                assert close.sum() == 1, (mode, picture, truth)
            sure = sum(truth["prob"] > 0.1 - SCORE for truth in outcome["detections"])
            assert (detections.scores > 0.1 + SCORE).sum() <= sure, (mode, picture)
    assert seen >= 10


@pytest.fixture
def face(tmp_path):
    model, _ = build_network(parse_cfg(FACE))
    (tmp_path / "face.cfg").write_text(FACE)
    write_weights(tmp_path / "face.weights", model, random_variables(abstract_variables(model)))
    (tmp_path / "face.names").write_text("".join(f"digit {number}\n" for number in range(10)))
    return tmp_path


def test_names_and_fits(face):
    files = face / "face.cfg", face / "face.weights"
    recipe = read_darknet(*files, names=face / "face.names", fit="stretch").recipe
    assert recipe.names[3] == "digit 3" and recipe.fit == "darknet_stretch"
    recipe = read_darknet(*files).recipe
    assert recipe.names == tuple("0123456789") and recipe.fit == "darknet_letterbox"
    with pytest.raises(InputError, match="fit must be one of letterbox, stretch, not 'crop'"):
        Detector.from_darknet(*files, fit="crop")
    (face / "few.names").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"few\.names: 2 class names, but .*face\.cfg is for 10 classes"):
        Detector.from_darknet(*files, names=face / "few.names")
    with pytest.raises(InputError, match=r"nowhere\.weights: the weights cannot be read"):
        Detector.from_darknet(files[0], face / "nowhere.weights")


def test_a_slot_is_found_as_every_class_over_the_threshold(face):
    model, grid = build_network(parse_cfg(FACE))
    variables = random_variables(abstract_variables(model))
    head = variables["params"]["conv003"]["head"]
    head["kernel"][:] = 0
    head["bias"].reshape(2, 15)[:] = [[0, 0, -9, -9, 3, 2, 1, *[-9] * 8], [0, 0, 0, 0, -20, *[0] * 10]]
    write_weights(face / "two.weights", model, variables)
    (found,) = Detector.from_darknet(face / "face.cfg", face / "two.weights")([np.zeros((32, 32, 3), np.uint8)], 0.3)
    cells = grid.num_slots // 2
    assert np.bincount(found.classes).tolist()[:2] == [cells, 100 - cells] and cells == 64
