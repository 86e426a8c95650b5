"""Fields that only some choice of another field uses."""

import json
import operator

import pytest

from tests.test_config import default_of, with_field
from yolojax.config import checked, flatten
from yolojax.config_checks import USED_WITH
from yolojax.errors import InputError

# Field, value, the field that decides, a value of that with which the first is used, and one with which it is not.
CASES = [
    ("model.width", 0.5, "model.name", "yolov3_tiny", "darknet"),
    ("model.anchors", (((10.0, 20.0),),) * 3, "model.name", "yolov3", "darknet"),
    ("model.cfg", "[net]", "model.name", "darknet", "yolov3"),
    ("data.sampling", "class_balanced", "data.source", "auto", "digits"),
    ("data.repeat_threshold", 0.5, "data.sampling", "repeat_factor", "class_balanced"),
    ("data.cache_gib", 1.0, "data.source", "auto", "digits"),
    ("data.augment.iou_crop_smallest", 0.5, "data.augment.iou_crop_probability", 0.1, 0.0),
    ("data.augment.scale_smallest", 0.8, "data.augment.scale_probability", 1.0, 0.0),
    ("data.augment.scale_largest", 2.0, "data.augment.scale_probability", 0.5, 0.0),
    ("data.augment.scale_aspect", 1.0, "data.augment.scale_probability", 0.5, 0.0),
    ("data.augment.blur_sigma", 2.0, "data.augment.blur_probability", 0.5, 0.0),
    ("data.augment.noise_deviation", 5.0, "data.augment.noise_probability", 0.5, 0.0),
    ("data.augment.mosaic_smallest", 1.0, "data.augment.mosaic_probability", 0.5, 0.0),
    ("data.augment.mosaic_largest", 1.0, "data.augment.mosaic_probability", 0.5, 0.0),
    ("data.augment.mixup_alpha", 8.0, "data.augment.mixup_probability", 0.5, 0.0),
    ("data.augment.mix_off_epochs", 0.0, "data.augment.mosaic_probability", 0.5, 0.0),
    ("data.augment.mix_off_epochs", 0.0, "data.augment.mixup_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.scale_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.iou_crop_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.mosaic_probability", 0.5, 0.0),
    ("loss.box", "ciou", "loss.name", "yolo", "paper"),
    ("loss.coord_weight", 1.0, "loss.name", "paper", "yolo"),
    ("loss.noobject_weight", 1.0, "loss.name", "paper", "yolo"),
    ("loss.wh", "log", "loss.name", "paper", "yolo"),
    ("loss.objectness", "iou", "loss.name", "paper", "yolo"),
    ("loss.class_scores", "softmax", "loss.name", "paper", "yolo"),
    ("loss.assign_iou", 0.5, "loss.assign_rule", "threshold", "best"),
    ("optimizer.b1", 0.8, "optimizer.name", "adamw", "sgd"),
    ("optimizer.b2", 0.99, "optimizer.name", "adam", "sgd"),
    ("optimizer.momentum", 0.0, "optimizer.name", "sgd", "adam"),
    ("optimizer.nesterov", True, "optimizer.name", "sgd", "adamw"),
    ("optimizer.weight_decay", 0.0, "optimizer.name", "sgd", "adam"),
    ("optimizer.weight_decay", 0.05, "optimizer.name", "adamw", "adam"),
    ("optimizer.end_learning_rate", 0.0, "optimizer.schedule", "cosine", "step"),
    ("optimizer.steps", ((0.5, 0.2),), "optimizer.schedule", "step", "cosine"),
    ("optimizer.decay_layers", "^conv", "optimizer.name", "sgd", "adam"),
    ("train.freeze_epochs", 2.0, "train.freeze", "^conv", ""),
    ("optimizer.ema_warmup_steps", 100.0, "optimizer.ema_decay", 0.99, 0.0),
]


@pytest.mark.parametrize(("name", "value", "other", "used_with", "unused_with"), CASES)
def test_what_nothing_uses_is_refused(name, value, other, used_with, unused_with):
    section, _, field = name.rpartition(".")
    config = with_field(name, value)
    config.data.source = "auto"
    group = operator.attrgetter(section)(config)
    setattr(group, other.rpartition(".")[2], used_with)
    assert flatten(checked(config))[name] == json.loads(json.dumps(value))
    setattr(group, other.rpartition(".")[2], unused_with)
    with pytest.raises(InputError) as caught:
        checked(config)
    message = str(caught.value)
    assert message.startswith(f"config.{name} is {value!r}, which nothing uses: config.")
    assert f"{other} " in message
    assert message.endswith(f", not {unused_with!r}; set that, or leave this at {default_of(name)!r}")
    assert "\n" not in message
    setattr(group, field, default_of(name))
    checked(config)


def test_every_such_field_has_a_case():
    assert {name for name, *_ in CASES} == set(USED_WITH)


def line_searched():
    config = with_field("optimizer.line_search_trials", 5)
    config.optimizer.name, config.optimizer.momentum, config.optimizer.weight_decay = "sgd", 0.0, 0.0
    return config


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "adam", "config.optimizer.name must be one of sgd with config.optimizer.line_search_trials, not 'adam'"),
        ("momentum", 0.9, "config.optimizer.momentum must be 0 with config.optimizer.line_search_trials, not 0.9"),
        ("weight_decay", 5e-4, "config.optimizer.weight_decay must be 0 with config.optimizer.line_search_trials, not 0.0005"),
    ],
)
def test_what_does_not_go_together_is_refused(field, value, message):
    config = line_searched()
    checked(config)
    if field == "name":  # whose momentum and decay are then those that adam does not use
        config.optimizer.momentum, config.optimizer.weight_decay = 0.9, 5e-4
    setattr(config.optimizer, field, value)
    with pytest.raises(InputError) as caught:
        checked(config)
    assert str(caught.value) == message
    config.optimizer.line_search_trials = 0
    checked(config)
