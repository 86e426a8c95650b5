"""The configuration: JSON and back, what is refused and by which name, and the help text."""

import ast
import dataclasses
import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import ConfigDict, FrozenConfigDict

from yolojax.config import Config, checked, differences, flatten, from_dict, help_text, to_dict
from yolojax.errors import InputError


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


POSITIVE = st.floats(1e-9, 1e9)
UNIT = st.floats(0, 1)
ANCHOR = st.tuples(st.integers(1, 500), POSITIVE)


@st.composite
def configs(draw):
    config = valid()
    config.seed = draw(st.integers(0, 2**64))
    config.model.width = draw(POSITIVE)
    config.model.anchors = draw(st.lists(st.lists(ANCHOR, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple))
    config.data.train = draw(st.text())
    config.data.class_names = draw(st.lists(st.text(), unique=True, max_size=4).map(tuple))
    config.data.size = draw(st.tuples(*[st.integers(1, 40).map(lambda n: 32 * n)] * 2))
    config.data.augment.hue = draw(UNIT)
    config.loss.label_smoothing = draw(UNIT)
    config.optimizer.learning_rate = draw(POSITIVE)
    config.train.batch_size = draw(st.integers(1, 10**6))
    return config


@settings(deadline=None, max_examples=50)
@given(config=configs())
def test_json_and_back(config):
    text = json.dumps(to_dict(config), allow_nan=False)
    back = from_dict(json.loads(text))
    assert back == config
    assert isinstance(back.data.augment, type(config.data.augment))
    assert checked(config) == config
    assert differences(config, back) == []
    hash(back.model.anchors)


def test_fields_that_are_not_named_keep_their_defaults():
    config = from_dict({"train": {"batch_size": 3}, "seed": 5})
    expected = Config(seed=5)
    expected.train.batch_size = 3
    assert config == expected
    assert from_dict({}) == Config()


def test_checked_gives_a_copy():
    config = valid(class_names=["a", "b"])
    result = checked(config)
    assert result.data.class_names == ("a", "b")
    result.data.augment.hue = 0.7
    result.train.epochs = 1.0
    assert (config.data.augment.hue, config.train.epochs) == (0.1, 30.0)
    assert checked(to_dict(config)) == checked(config)


@pytest.mark.parametrize("kind", [ConfigDict, FrozenConfigDict])
def test_ml_collections_are_accepted(kind):
    values = {
        "data": {"source": "digits", "size": (64, 96)},
        "model": {"name": "yolov3_tiny", "anchors": [[[1, 2.5]], [[3, 4]]]},
        "train": {"epochs": 3},
    }
    config = checked(kind(values))
    assert (config.data.size, config.model.name) == ((64, 96), "yolov3_tiny")
    assert config.model.anchors == (((1, 2.5),), ((3, 4),))
    assert config.train.epochs == 3.0 and isinstance(config.train.epochs, float)
    with pytest.raises(InputError, match=r"config\.train\.epoch does not exist"):
        checked(kind({"train": {"epoch": 3}}))


def test_integers_are_numbers_but_nothing_else_is_converted():
    config = from_dict({"optimizer": {"learning_rate": 1, "warmup_epochs": 0}})
    assert config.optimizer.learning_rate == 1.0 and type(config.optimizer.learning_rate) is float
    assert type(config.optimizer.warmup_epochs) is float


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sede": 1}, r"config\.sede does not exist; the fields of config are seed, model, "),
        ({"model": {"depth": 1}}, r"config\.model\.depth does not exist; the fields of config\.model are name, "),
        ({"data": {"augment": {"smear": 1}}}, r"config\.data\.augment\.smear does not exist; .*flip_probability"),
        ({"model": 3}, r"config\.model must be a group of fields, not 3"),
        ([], r"config must be a group of fields, not \[\]"),
        ({"train": {"batch_size": True}}, r"config\.train\.batch_size must be of type int, not True"),
        ({"train": {"batch_size": 8.0}}, r"config\.train\.batch_size must be of type int, not 8\.0"),
        ({"train": {"batch_size": "8"}}, r"config\.train\.batch_size must be of type int, not '8'"),
        ({"train": {"epochs": True}}, r"config\.train\.epochs must be of type float, not True"),
        ({"train": {"epochs": None}}, r"config\.train\.epochs must be of type float, not None"),
        ({"train": {"epochs": math.inf}}, r"config\.train\.epochs must be finite, not inf"),
        ({"optimizer": {"b1": math.nan}}, r"config\.optimizer\.b1 must be finite, not nan"),
        ({"optimizer": {"b1": 10**400}}, r"config\.optimizer\.b1 must be finite, not 1000"),
        ({"data": {"train": 3}}, r"config\.data\.train must be of type str, not 3"),
        ({"data": {"size": 416}}, r"config\.data\.size must be a list, not 416"),
        ({"data": {"size": (416, 41.6)}}, r"config\.data\.size\[1\] must be of type int, not 41\.6"),
        ({"data": {"class_names": "abc"}}, r"config\.data\.class_names must be a list, not 'abc'"),
        ({"data": {"class_names": ["a", 2]}}, r"config\.data\.class_names\[1\] must be of type str, not 2"),
        ({"data": {"augment": {"hue": "much"}}}, r"config\.data\.augment\.hue must be of type float, not 'much'"),
    ],
)
def test_wrong_fields_and_types_are_named(values, message):
    with pytest.raises(InputError, match=f"^{message}"):
        from_dict(values)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("data.train", pathlib.Path("train.txt"), "must be of type str"),
        ("train.epochs", np.float32(2), "must be of type float"),
        ("data.augment", {"blur": 1}, "must be|does not exist"),
    ],
)
def test_values_that_no_json_holds_are_named(name, value, message):
    with pytest.raises(InputError, match=rf"^config\.{name}.*({message})"):
        checked(with_field(name, value))


OUT_OF_RANGE = {
    "seed": [-1],
    "model.name": ["yolov4", ""],
    "model.num_classes": [-1],
    "model.width": [0.0, -1.0],
    "model.dtype": ["float16"],
    "model.batch_norm_momentum": [-0.1, 1.1],
    "model.anchors": [(1, 2), ((1, 2), (3, 4)), (((1,),),), ((("a", 2),),), (((0, 2),),), (((math.nan, 2),),), ((),)],
    "data.source": ["coco"],
    "data.class_names": [("a", "b", "a")],
    "data.size": [(416,), (416, 416, 3), (416, 0), (416, 400), (-32, 32), ()],
    "data.sizes": [(416,), ((416, 416), (416, 400)), ((64, 64), (64, 64)), ((0, 32),), ((32.0, 32),), ("ab",)],
    "data.fit": ["stretch", ""],
    "data.sampling": ["random", ""],
    "data.repeat_threshold": [-0.1, 1.1],
    "data.cache_gib": [-1.0],
    "data.max_boxes": [0],
    "data.on_unreadable": ["ignore"],
    "data.threads": [-1],
    "data.digits_train": [0],
    "data.digits_val": [0],
    "data.augment.flip_probability": [-0.1, 1.1],
    "data.augment.crop_probability": [-0.1, 1.1],
    "data.augment.translate_probability": [-0.1, 1.1],
    "data.augment.hsv_probability": [-0.1, 1.1],
    "data.augment.hue": [-0.1, 1.1],
    "data.augment.saturation": [0.9, 0.0],
    "data.augment.value": [0.9, 0.0],
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
    "loss.ignore_iou": [-0.1, 1.1],
    "loss.label_smoothing": [-0.1, 1.1],
    "loss.assign_rule": ["nearest"],
    "loss.assign_iou": [-0.1, 1.1],
    "optimizer.name": ["rmsprop", "Adam"],
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
    "train.batch_size": [0],
    "train.accumulate": [0],
    "train.log_steps": [0],
    "train.eval_epochs": [0.0],
    "train.checkpoint_steps": [0],
    "eval.batch_size": [0],
    "train.max_skipped_steps": [-1],
    "eval.score_threshold": [-0.1, 1.1],
    "eval.iou_threshold": [-0.1, 1.1],
    "eval.max_candidates": [0],
    "eval.max_detections": [0],
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_values_out_of_range_are_named(name):
    for value in OUT_OF_RANGE[name]:
        with pytest.raises(InputError) as caught:
            checked(with_field(name, value))
        message = str(caught.value)
        assert message.startswith(f"config.{name} must ") and message.endswith(f", not {value!r}")
        assert "\n" not in message


def test_every_field_but_paths_texts_and_switches_has_a_range():
    paths = {"init_from", "data.train", "data.val", "data.test", "data.names", "model.cfg"}
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
        with pytest.raises(InputError, match=rf"config\.data\.{name} must .*, whole and positive, not"):
            checked(dataclasses.replace(config, data=dataclasses.replace(config.data, **{name: value})))


def test_lists_need_class_names():
    config = valid(source="list")
    with pytest.raises(InputError, match=r"^config\.data\.names is not set: .* one class name a line$"):
        checked(config)
    checked(valid(source="list", class_names=("a",)))
    checked(valid(source="list", names="classes.names"))
    checked(valid(source="auto"))  # most other formats have names of their own


def test_a_mistyped_field_cannot_be_set():
    config = Config()
    for section, name in ((config, "sede"), (config.data, "sise"), (config.data.augment, "flip_probabilty")):
        with pytest.raises(AttributeError):
            setattr(section, name, 1)


def test_differences_name_fields_and_both_values():
    old, new = valid(), valid(size=(64, 96), names="né w")
    new.optimizer.learning_rate = 2e-4
    new.data.augment.hue = 0.0
    new.model.anchors = (((1, 2),),)
    assert differences(old, new) == [
        "model.anchors: [] -> [[[1, 2]]]",
        'data.names: "" -> "n\\u00e9 w"',
        "data.size: [416, 416] -> [64, 96]",
        "data.augment.hue: 0.1 -> 0.0",
        "optimizer.learning_rate: 0.0001 -> 0.0002",
    ]
    assert differences(new, new) == []


def test_flatten_names_every_leaf():
    leaves = flatten(Config())
    assert leaves["optimizer.learning_rate"] == 1e-4
    assert leaves["data.augment.flip_probability"] == 0.5
    assert leaves["data.size"] == [416, 416]
    assert not any(isinstance(value, dict) for value in leaves.values())


def default_of(name):
    value = Config()
    for part in name.split("."):
        value = getattr(value, part)
    return value


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
    assert described["optimizer.learning_rate"] == ("0.0001", "peak learning rate")


def test_sections_are_documented():
    def walk(cls):
        assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
        for field in dataclasses.fields(cls):
            if isinstance(field.default_factory, type):
                walk(field.default_factory)

    walk(Config)
