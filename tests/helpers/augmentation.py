"""All augmentation at once, other pictures to mix with, and comparison to the bit."""

import dataclasses

import numpy as np

from yolojax.data.augment import (
    AugmentConfig,
)


def everything(**changes):
    """The configuration of all augmentation at once."""
    config = AugmentConfig()
    for field in dataclasses.fields(config):
        if field.name.endswith("_probability"):
            setattr(config, field.name, 1.0)
    return dataclasses.replace(config, **changes)


def one_of(examples):
    """What draws another of a few examples."""
    return lambda rng: examples[rng.integers(len(examples))]


def assert_same(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
