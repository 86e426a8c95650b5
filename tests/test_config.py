"""The fields of the configuration: their ranges, which are used with which, and the help text."""

import ast
import dataclasses
import json
import math
import operator

import pytest

from yolojax.config import Config, checked, flatten, help_text
from yolojax.config_values import unused_by_parts
from yolojax.errors import InputError
from yolojax.fields import full_name, leaves
from yolojax.parts import FIELDS, OPTIONS


def valid(**data):
    """A configuration that `checked` accepts."""
    config = Config()
    config.data.source = "digits"
    for name, value in data.items():
        setattr(config.data, name, value)
    return config


def with_field(name, value):
    """A valid configuration but for one field, by its dotted name."""
    config = valid()
    *groups, field = name.split(".")
    section = config
    for group in groups:
        section = getattr(section, group)
    setattr(section, field, value)
    return config


OUT_OF_RANGE = {
    "seed": [-1],
    "model.name": ["yolov4", ""],
    "model.num_classes": [-1],
    "model.width": [0.0, -1.0],
    "model.dtype": ["float16"],
    "model.batch_norm_momentum": [-0.1, 1.1],
    "model.anchors": [(1, 2), ((1, 2), (3, 4)), (((1,),),), ((("a", 2),),), (((0, 2),),), (((math.nan, 2),),), ((),)],
    **{name: [{1: 2}, {"a": math.nan}, {"a": {2}}] for name in OPTIONS.values()},
    "model.backbone": ["resnet", "mine:"],
    "model.neck": ["pan", ""],
    "data.augment.more": [("flip",), ("mine:flip", "")],
    "train.callbacks": [("print",)],
    "data.val_share": [-0.1, 1.0],
    "data.source": ["coco"],
    "data.class_names": [("a", "b", "a")],
    "data.size": [(416,), (416, 416, 3), (416, 0), (416, 400), (-32, 32), ()],
    "data.sizes": [(416,), ((416, 416), (416, 400)), ((64, 64), (64, 64)), ((0, 32),), ((32.0, 32),), ("ab",), ({"a": 1},)],
    "data.fit": ["stretch", ""],
    "data.sampling": ["random", ""],
    "data.repeat_threshold": [-0.1, 1.1],
    "data.cache_gib": [-1.0],
    "data.max_boxes": [0, 100_001],
    "data.on_unreadable": ["ignore"],
    "data.stated_sizes": ["skip"],
    "data.threads": [-1, 1025],
    "data.processes": [-1, 1025],
    "data.digits_train": [0, 10**8 + 1],
    "data.digits_val": [0, 10**8 + 1],
    "data.augment.flip_probability": [-0.1, 1.1],
    "data.augment.crop_probability": [-0.1, 1.1],
    "data.augment.translate_probability": [-0.1, 1.1],
    "data.augment.hsv_probability": [-0.1, 1.1],
    "data.augment.hue": [-0.1, 1.1],
    "data.augment.saturation": [0.9, 0.0],
    "data.augment.value": [0.9, 0.0],
    "data.augment.vertical_flip_probability": [-0.1, 1.1],
    "data.augment.transpose_probability": [-0.1, 1.1],
    "data.augment.rotation_probability": [-0.1, 1.1],
    "data.augment.rotation_degrees": [-1.0, 181.0],
    "data.augment.shear_probability": [-0.1, 1.1],
    "data.augment.shear_degrees": [-1.0, 41.0],
    "data.augment.iou_crop_probability": [-0.1, 1.1],
    "data.augment.iou_crop_smallest": [0.0, 1.1],
    "data.augment.scale_probability": [-0.1, 1.1],
    "data.augment.scale_smallest": [0.0, 1.1],
    "data.augment.scale_largest": [0.9],
    "data.augment.scale_aspect": [0.9],
    "data.augment.blur_probability": [-0.1, 1.1],
    "data.augment.blur_sigma": [0.0, -1.0],
    "data.augment.noise_probability": [-0.1, 1.1],
    "data.augment.noise_deviation": [-1.0, 256.0],
    "data.augment.mosaic_probability": [-0.1, 1.1],
    "data.augment.mosaic_smallest": [0.0, 1.1],
    "data.augment.mosaic_largest": [0.9],
    "data.augment.mixup_probability": [-0.1, 1.1],
    "data.augment.mixup_alpha": [0.0, -1.0],
    "data.augment.mix_off_epochs": [-1.0],
    "data.augment.min_visible": [-0.1, 1.1],
    "loss.name": ["mse", ""],
    "loss.box": ["l2"],
    "loss.coord_weight": [-1.0],
    "loss.noobject_weight": [-0.5],
    "loss.wh": ["linear"],
    "loss.objectness": ["mse"],
    "loss.class_scores": ["max"],
    "loss.class_weights": [(0.0,), (1.0, -1.0)],
    "loss.reduction": ["none", ""],
    "loss.ignore_iou": [-0.1, 1.1],
    "loss.label_smoothing": [-0.1, 1.1],
    "loss.assign_rule": ["nearest"],
    "init_heads": ["kept"],
    "loss.assign_iou": [-0.1, 1.1],
    "loss.assign_ratio": [1.0, 0.0],
    "loss.box_weight": [-1.0],
    "loss.objectness_weight": [-1.0],
    "loss.classification_weight": [-1.0],
    "loss.scale_weights": [(0.0,), (4.0, -1.0)],
    "model.xy_scale": [0.0, -2.0],
    "optimizer.name": ["lion", "Adam"],
    "optimizer.learning_rate": [0.0, -1.0],
    "optimizer.end_learning_rate": [-1e-9],
    "optimizer.warmup_epochs": [-1.0],
    "optimizer.schedule": ["linear", ""],
    "optimizer.steps": [(0.5, 0.1), ((0.0, 0.1),), ((1.1, 0.1),), ((0.9, 0.1), (0.8, 0.1)), ((0.5, -1.0),), ("ab",)],
    "optimizer.decay_layers": ["(", "*"],
    "optimizer.line_search_trials": [-1],
    "optimizer.b1": [-0.1, 1.0],
    "optimizer.b2": [-0.1, 1.0],
    "optimizer.momentum": [-0.1, 1.0],
    "optimizer.rms_decay": [-0.1, 1.0],
    "optimizer.rms_eps": [0.0, -1e-8],
    "optimizer.weight_decay": [-0.1, 1.1],
    "optimizer.layer_rates": [("head", 2.0), (("(", 2.0),), (("head", -1.0),), (("head", "2"),), (("a", 1.0, 2.0),)],
    "train.save_best_by": ["map", "AP50", ""],
    "train.early_stopping": [-1],
    "train.freeze": ["(", "*"],
    "train.freeze_epochs": [-1.0],
    "optimizer.clip_norm": [-1.0],
    "optimizer.ema_decay": [-0.1, 1.0],
    "optimizer.ema_warmup_steps": [-1.0],
    "train.epochs": [0.0, -1.0],
    "train.batch_size": [0, 2**16 + 1],
    "train.accumulate": [0],
    "train.log_steps": [0],
    "train.eval_epochs": [0.0],
    "train.checkpoint_steps": [0],
    "train.keep_every": [-1.0],
    "eval.batch_size": [0, 10**9],
    "train.max_skipped_steps": [-1],
    "eval.score_threshold": [-0.1, 1.1],
    "eval.iou_threshold": [-0.1, 1.1],
    "eval.max_candidates": [0, 10**12],
    "eval.max_detections": [0, 10**12],
}


def test_a_pattern_that_python_warns_of_is_taken_without_a_word():
    assert checked(with_field("train.freeze", "conv[[12]")).train.freeze == "conv[[12]"


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_values_out_of_range_are_named(name):
    for value in OUT_OF_RANGE[name]:
        with pytest.raises(InputError) as caught:
            checked(with_field(name, value))
        message = str(caught.value)
        assert message.startswith(f"config.{name} must ") and message.endswith(f", not {value!r}")
        assert "\n" not in message


def test_every_field_but_paths_texts_and_switches_has_a_range():
    paths = {"init_from", "init_cfg", "data.train", "data.val", "data.test", "data.names", "model.cfg"}
    switches = {name for name, value in flatten(Config()).items() if isinstance(value, bool)}
    assert set(flatten(Config())) - paths - switches == set(OUT_OF_RANGE)


def test_the_ends_of_the_ranges_are_allowed():
    values = {"model.batch_norm_momentum": 1.0, "optimizer.b1": 0.0, "data.augment.saturation": 1.0, "loss.assign_iou": 0.0}
    for name, value in values.items():
        assert flatten(checked(with_field(name, value)))[name] == value


def test_the_network_of_a_cfg_says_itself_which_sizes_fit_it():
    config = Config()
    config.model.name, config.data.size, config.data.sizes = "darknet", (56, 112), ((56, 56), (48, 40))
    assert checked(config).data == config.data
    for name, value in (("size", (0, 8)), ("sizes", ((8, 8.5),))):
        with pytest.raises(InputError, match=rf"config\.data\.{name} must .*, whole and positive, (at most .* pixels, )?not"):
            checked(dataclasses.replace(config, data=dataclasses.replace(config.data, **{name: value})))


def test_lists_need_class_names():
    config = valid(source="list")
    with pytest.raises(InputError, match=r"^config\.data\.names is not set: .* one class name per line$"):
        checked(config)
    checked(valid(source="list", class_names=("a",)))
    checked(valid(source="list", names="classes.names"))
    checked(valid(source="auto"))  # most other formats have names of their own


def test_a_mistyped_field_cannot_be_set():
    config = Config()
    for section, name in ((config, "sede"), (config.data, "sise"), (config.data.augment, "flip_probabilty")):
        with pytest.raises(AttributeError):
            setattr(section, name, 1)


def default_of(name):
    value = Config()
    for part in name.split("."):
        value = getattr(value, part)
    return value


# Field, value, the field that decides, a value of that with which the first is used, and one with which it is not.
CASES = [
    ("model.width", 0.5, "model.name", "yolov3_tiny", "darknet"),
    ("model.cfg", "[net]", "model.name", "darknet", "yolov3"),
    ("model.options", {"a": 1}, "model.name", "mine:Net", "yolov3"),
    ("model.backbone", "resnet50", "model.name", "yolov3", "yolov3_tiny"),
    ("model.backbone_options", {"a": 1}, "model.name", "yolov3_spp", "yolov3_tiny"),
    ("model.neck", "mine:Neck", "model.name", "yolov3", "yolov3_tiny"),
    ("model.neck_options", {"a": 1}, "model.neck", "mine:Neck", "fpn"),
    ("data.options", {"a": [1, 2]}, "data.source", "mine.data:source", "auto"),
    ("data.augment.options", {"a": {"b": None}}, "data.augment.more", ("mine:turn",), ()),
    ("loss.options", {"a": "x"}, "loss.name", "mine:loss", "yolo"),
    ("loss.assign_options", {"a": 1.5}, "loss.assign_rule", "mine:Rules.nearest", "best"),
    ("optimizer.options", {"a": True}, "optimizer.name", "mine:lion", "adam"),
    ("optimizer.schedule_options", {"a": 1}, "optimizer.schedule", "mine:flat", "cosine"),
    ("data.val_share", 0.5, "data.val", "", "val.txt"),
    ("data.single_class", True, "data.source", "auto", "digits"),
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
    ("data.augment.rotation_degrees", 45.0, "data.augment.rotation_probability", 0.5, 0.0),
    ("data.augment.shear_degrees", 5.0, "data.augment.shear_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.scale_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.rotation_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.shear_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.iou_crop_probability", 0.5, 0.0),
    ("data.augment.min_visible", 0.5, "data.augment.mosaic_probability", 0.5, 0.0),
    ("loss.box", "ciou", "loss.name", "yolo", "paper"),
    ("loss.coord_weight", 1.0, "loss.name", "paper", "yolo"),
    ("loss.noobject_weight", 1.0, "loss.name", "paper", "yolo"),
    ("loss.wh", "log", "loss.name", "paper", "yolo"),
    ("loss.objectness", "iou", "loss.name", "paper", "yolo"),
    ("loss.class_scores", "softmax", "loss.name", "paper", "yolo"),
    ("loss.reduction", "mean", "loss.name", "paper", "yolo"),
    ("loss.ignore_iou", 0.7, "loss.name", "yolo", "iou_aware"),
    ("loss.label_smoothing", 0.0, "loss.name", "paper", "iou_aware"),
    ("loss.box_weight", 1.0, "loss.name", "iou_aware", "yolo"),
    ("loss.objectness_weight", 2.0, "loss.name", "iou_aware", "yolo"),
    ("loss.classification_weight", 1.0, "loss.name", "iou_aware", "paper"),
    ("loss.scale_weights", (1.0, 1.0), "loss.name", "iou_aware", "paper"),
    ("loss.assign_iou", 0.5, "loss.assign_rule", "threshold", "best"),
    ("loss.assign_iou", 0.5, "loss.assign_rule", "threshold", "ratio"),
    ("loss.assign_ratio", 3.0, "loss.assign_rule", "ratio", "threshold"),
    ("model.xy_scale", 2.0, "model.name", "yolov3", "darknet"),
    ("model.squared_sizes", True, "model.name", "yolov3_tiny", "darknet"),
    ("optimizer.b1", 0.8, "optimizer.name", "adamw", "sgd"),
    ("optimizer.b2", 0.99, "optimizer.name", "adam", "sgd"),
    ("optimizer.momentum", 0.0, "optimizer.name", "sgd", "adam"),
    ("optimizer.momentum", 0.5, "optimizer.name", "rmsprop", "adamw"),
    ("optimizer.rms_decay", 0.99, "optimizer.name", "rmsprop", "sgd"),
    ("optimizer.rms_eps", 1e-10, "optimizer.name", "rmsprop", "adam"),
    ("optimizer.nesterov", True, "optimizer.name", "sgd", "adamw"),
    ("optimizer.weight_decay", 0.0, "optimizer.name", "sgd", "adam"),
    ("optimizer.weight_decay", 0.05, "optimizer.name", "adamw", "adam"),
    ("optimizer.weight_decay", 0.05, "optimizer.name", "rmsprop", "adam"),
    ("optimizer.end_learning_rate", 0.0, "optimizer.schedule", "cosine", "step"),
    ("optimizer.steps", ((0.5, 0.2),), "optimizer.schedule", "step", "cosine"),
    ("optimizer.decay_layers", "^conv", "optimizer.name", "sgd", "adam"),
    ("train.freeze_epochs", 2.0, "train.freeze", "^conv", ""),
    ("optimizer.ema_warmup_steps", 100.0, "optimizer.ema_decay", 0.99, 0.0),
    ("init_heads", "adapt", "init_from", "runs/a", ""),
    ("init_network", True, "init_from", "runs/a", ""),
    ("init_cfg", "a.cfg", "init_from", "a.weights", ""),
]


@pytest.mark.parametrize(("name", "value", "other", "used_with", "unused_with"), CASES)
def test_what_nothing_uses_is_refused(name, value, other, used_with, unused_with):
    section, _, field = name.rpartition(".")
    config = with_field(name, value)
    config.data.source = "auto"
    group = operator.attrgetter(section)(config) if section else config
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


# Used by every built-in part of the field that decides, and not by the user's own.
NOT_BY_OWN_PARTS = [
    ("model.dtype", "bfloat16", "model.name"),
    ("model.batch_norm_momentum", 0.9, "model.name"),
    ("loss.class_weights", (1.0, 2.0), "loss.name"),
    ("optimizer.learning_rate", 0.5, "optimizer.schedule"),
    ("optimizer.warmup_epochs", 0.0, "optimizer.schedule"),
]


def test_every_such_field_has_a_case():
    conditions = [(leaf.name, other) for leaf in leaves(Config()) for other in leaf.declaration.used_with]
    conditions = [pair for pair in conditions if (pair[0], full_name(*pair)) not in {(n, o) for n, _, o in NOT_BY_OWN_PARTS}]
    assert {(name, other) for name, _, other, *_ in CASES} == {(name, full_name(name, other)) for name, other in conditions}


@pytest.mark.parametrize(("name", "value", "other"), NOT_BY_OWN_PARTS)
def test_what_an_own_part_does_not_use_is_named_but_not_refused(name, value, other):
    config = with_field(name, value)
    assert unused_by_parts(checked(config)) == []
    section, _, field = other.partition(".")
    setattr(getattr(config, section), field, "mine:part")
    assert unused_by_parts(checked(config)) == [name]


def test_parts_of_ones_own_are_names_with_a_colon_and_objects_that_have_none():
    for field in FIELDS.values():
        for value in ("mine:part", "a.b:C.d", "<lambda of __main__>"):
            assert flatten(checked(with_field(field, value)))[field] in (value, [value])
        for value in ("mine", "mine:", ":part", "a b:c", "mine:a:b", "../mine:part", "mine-py:part", ""):
            with pytest.raises(InputError, match=rf"^config\.{field} must "):
                checked(with_field(field, (value,) if field in ("data.augment.more", "train.callbacks") else value))


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


def test_help_describes_every_field():
    lines = help_text()
    described = {}
    for line in lines:
        assignment, _, doc = line.strip().partition("  ")
        name, _, default = assignment.removeprefix("--config.").partition("=")
        described[name] = (default, doc)
    assert set(described) == set(flatten(Config())) and len(lines) == len(described)
    for name, (default, doc) in described.items():
        assert len(doc) >= 10, f"{name} has no description"
        assert json.dumps(default_of(name)) == json.dumps(ast.literal_eval(default))
    assert described["optimizer.learning_rate"] == ("0.0001", "peak learning rate [> 0; only with schedule=cosine|step]")


def test_sections_are_documented():
    def walk(cls):
        assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
        for field in dataclasses.fields(cls):
            if isinstance(field.default_factory, type):
                walk(field.default_factory)

    walk(Config)
