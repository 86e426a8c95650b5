"""The activations of cfgs against their formulas."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.darknet.activations import ACTIVATIONS, read_activation
from yolojax.darknet.cfg import parse_cfg
from yolojax.errors import InputError

# As in Darknet's activations.h, one number at a time.
FORMULAS = {
    "linear": lambda x: x,
    "leaky": lambda x: x if x > 0 else 0.1 * x,
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "swish": lambda x: x / (1 + math.exp(-x)),
    "logistic": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_their_formulas(name):
    numbers = np.linspace(-12, 12, 97, dtype=np.float32)
    expected = [FORMULAS[name](float(x)) for x in numbers]
    np.testing.assert_allclose(ACTIVATIONS[name](jnp.asarray(numbers)), expected, rtol=1e-5, atol=1e-6)


def test_a_section_names_its_activation_or_has_the_default():
    text = "[net]\n[conv]\nactivation=mish\n[conv]\nsize=1\n[conv]\nsize=1\nactivation=maxout\n"
    _, one, other, unknown = parse_cfg(text, "a.cfg")
    assert read_activation(one, "linear") == "mish" and read_activation(other, "linear") == "linear"
    with pytest.raises(InputError, match=r"a\.cfg:8: \[convolutional\] activation=maxout is not supported; use linear, "):
        read_activation(unknown, "linear")
