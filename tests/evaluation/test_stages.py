import math
import time
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from tests.evaluation.test_evaluate import RECIPE, Memory, config_of
from yolojax.evaluation.stages import stage_seconds
from yolojax.runtime.devices import make_mesh, shardings


class Slow(nn.Module):
    """Heads of a network that takes a while: the pictures go through a product again and again."""

    @nn.compact
    def __call__(self, images, *, train):
        x = images.astype(jnp.float32).mean((1, 2, 3))[:, None, None] / 255 + jnp.zeros((1, 200, 200))
        x = jax.lax.fori_loop(0, 15, lambda _, x: jnp.tanh(x @ x), x)
        return (jnp.zeros((len(images), 2, 3, 2, 8)) + x.mean((1, 2))[:, None, None, None, None],)


class Unhurried(Memory):
    def example(self, epoch, index):
        time.sleep(0.02)
        return super().example(epoch, index)


def test_seconds_of_a_picture():
    replicated, split = shardings(make_mesh())
    seconds = stage_seconds({}, Unhurried(20), config_of(8), RECIPE, replicated, split, model=Slow())
    assert set(seconds) == {"read", "forward", "nms"}
    assert 0.02 <= seconds["read"] < 0.1  # one picture after the other: not the time that threads share
    assert seconds["forward"] > 0 and seconds["nms"] >= 0
    assert seconds["nms"] < seconds["forward"]


def test_nothing_that_can_be_read():
    replicated, split = shardings(make_mesh())
    source = Memory(3, unreadable=(0, 1, 2))
    seconds = stage_seconds({}, source, config_of(8), RECIPE, replicated, split, model=Slow())
    assert all(math.isnan(value) for value in seconds.values())


@pytest.mark.parametrize("length", [1, 9])
def test_batches_are_filled(length):
    replicated, split = shardings(make_mesh())
    seconds = stage_seconds({}, Memory(length), config_of(3), RECIPE, replicated, split, model=Slow())
    assert all(math.isfinite(value) for value in seconds.values())


class Counted(nn.Module):
    """Tells each time that it is traced."""

    tell: Callable

    @nn.compact
    def __call__(self, images, *, train):
        self.tell(images.shape)
        return (jnp.zeros((len(images), 2, 3, 2, 8)),)


def test_the_network_is_compiled_once():
    traced = []
    replicated, split = shardings(make_mesh())
    stage_seconds({}, Memory(17), config_of(8), RECIPE, replicated, split, model=Counted(traced.append))
    assert len(traced) == 1
