"""The assignment that a configuration names: ours with its settings, or the user's own, checked."""

import numpy as np
import pytest

from tests.helpers import own_parts
from yolojax.config import Config, LossConfig
from yolojax.data.assign_rule import build_assign, check_room, checked_targets, no_targets
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import Parts
from yolojax.targets import Targets, assign

GRID = AnchorGrid((64, 64))
BOXES, CLASSES = np.array([[3.0, 4, 40, 60], [10, 10, 22, 27]]), np.array([1, 0])


def equal(one, other):
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


def test_our_rules_take_their_settings():
    for rule, iou in (("threshold", 0.2), ("threshold", 0.6), ("best", 0.3)):
        ours = build_assign(LossConfig(assign_rule=rule, assign_iou=iou), 5)(BOXES, CLASSES, GRID)
        assert equal(ours, assign(BOXES, CLASSES, GRID, max_boxes=5, rule=rule, iou_threshold=iou))
    for ratio in (1.5, 4.0):
        ours = build_assign(LossConfig(assign_rule="ratio", assign_ratio=ratio), 5)(BOXES, CLASSES, GRID)
        assert equal(ours, assign(BOXES, CLASSES, GRID, max_boxes=5, rule="ratio", ratio=ratio))


def test_an_own_rule_takes_its_options():
    named = LossConfig(assign_rule="tests.helpers.own_parts:rule", assign_options={"iou": 0.2})
    own = build_assign(named, 5)(BOXES, CLASSES, GRID)
    assert equal(own, own_parts.rule(BOXES, CLASSES, GRID, max_boxes=5, iou=0.2)) and own.slots.shape == (5, 11)
    given = build_assign(LossConfig(assign_rule="<rule of a program>"), 5, Parts(assign=own_parts.rule))
    assert equal(given(BOXES, CLASSES, GRID), own_parts.rule(BOXES, CLASSES, GRID, max_boxes=5))


def test_targets_get_the_types_that_training_compiles_for():
    wide = Targets(*(field.astype(np.int64 if field.dtype == np.int32 else float) for field in assign(BOXES, CLASSES, GRID)))
    assert equal(checked_targets(wide, "mine:rule", GRID), assign(BOXES, CLASSES, GRID))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "not NoneType"),
        ((1, 2, 3, 4), "not tuple"),
        (Targets(np.zeros((3, 4)), np.zeros(3), np.zeros((2, 9)), np.zeros((3, 3))), r"not boxes \(3, 4\), .* slots \(2, 9\)"),
        (Targets(np.zeros((3, 4)), np.zeros(3), np.zeros(3), np.zeros((3, 3))), r"slots \(3,\)"),
        (
            Targets(np.zeros((3, 4)), np.zeros(3), np.full((3, 9), -1), np.zeros((3, 3))),
            r"slots from 0 to 251, and 252 for none, not -1 to -1",
        ),
        (Targets(np.zeros((3, 4)), np.zeros(3), np.full((3, 9), 253), np.zeros((3, 3))), "not 253 to 253"),
        (Targets(np.zeros((3, 4)), np.zeros(3), np.zeros((3, 9)), np.zeros((3, 1))), r"on_scale \(M, 3\), not .* \(3, 1\)"),
        (Targets(np.zeros((3, 5)), np.zeros(3), np.zeros((3, 9)), np.zeros((3, 3))), r"not boxes \(3, 5\)"),
        (Targets(*(None,) * 4), " of arrays: "),
        (Targets(*(np.zeros(()),) * 4), r"not boxes \(\)"),
    ],
)
def test_what_are_no_targets_is_refused(targets, message):
    with pytest.raises(InputError, match=rf"^config\.loss\.assign_rule: mine:rule must return Targets.*{message}"):
        checked_targets(targets, "mine:rule", GRID)


def test_the_shapes_of_targets_are_those_of_an_image_without_boxes():
    config = Config()
    config.loss.assign_rule, config.data.max_boxes = "tests.helpers.own_parts:rule", 5
    empty = no_targets(config, GRID)
    assert empty.slots.shape == (5, 11) and (empty.slots == GRID.num_slots).all()
    check_room(build_assign(config.loss, 5)(BOXES, CLASSES, GRID), empty, "mine:rule")
    message = r"mine:rule returns slots of shape \(6, 11\) for one image and \(5, 11\) for one without boxes; \(M, K\) must be"
    with pytest.raises(InputError, match=message):
        check_room(build_assign(config.loss, 6)(BOXES, CLASSES, GRID), empty, "mine:rule")


def test_an_image_without_boxes_has_the_room_of_its_rule():
    config = Config()
    config.data.max_boxes = 5
    for rule, columns in (("threshold", 9), ("best", 9), ("ratio", 27)):
        config.loss.assign_rule = rule
        empty = no_targets(config, GRID)
        assert empty.slots.shape == (5, columns) and (empty.slots == GRID.num_slots).all()
        check_room(build_assign(config.loss, 5)(BOXES, CLASSES, GRID), empty, rule)
