"""Configurations to JSON and back, which fields and types are refused and by which name, and differences."""

import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import ConfigDict, FrozenConfigDict

from tests.test_config import valid, with_field
from yolojax.config import Config, checked, differences, flatten, from_dict, to_dict
from yolojax.errors import InputError
from yolojax.parts import OPTIONS

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
    config.train.batch_size = draw(st.integers(1, 2**16))
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
        (
            {"optimizer": {"b1": 1e39}},
            r"config\.optimizer\.b1 must be at most 3\.4e\+38, the largest number of float32, not 1e\+39",
        ),
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
    assert {name for name, value in leaves.items() if isinstance(value, dict)} == set(OPTIONS.values())
