"""The activations that a `.cfg` can name, and the option that names one."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import flax.linen as nn
import jax
import jax.numpy as jnp

from yolojax.darknet.cfg import Section

ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = MappingProxyType(
    {
        "linear": lambda x: x,
        "leaky": lambda x: nn.leaky_relu(x, 0.1),
        "relu": nn.relu,
        "relu6": nn.relu6,
        "mish": lambda x: x * jnp.tanh(nn.softplus(x)),
        "swish": nn.swish,
        "logistic": nn.sigmoid,
        "tanh": jnp.tanh,
        "elu": nn.elu,
    }
)
"""Elementwise functions by their names in a cfg."""


def read_activation(section: Section, default: str) -> str:
    """Reads the option `activation` of a section.

    Args:
        section: the section.
        default: Darknet's activation for a section without the option.

    Returns:
        A key of `ACTIVATIONS`.

    Raises:
        InputError: the activation is unknown.
    """
    activation = section.text("activation", default)
    if activation not in ACTIVATIONS:
        section.fail(f"activation={activation} is not supported; use {', '.join(ACTIVATIONS)}", "activation")
    return activation
