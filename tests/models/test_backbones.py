"""The tables of backbones and necks, each trained; and what any network says of its heads."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.helpers.cfgs import FACE
from tests.helpers.networks import NETWORKS
from tests.helpers.small import Small
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.loss import yolo_loss
from yolojax.models import BACKBONES, NECKS, YOLOv3, initialize, model_anchors, model_strides
from yolojax.targets import assign
from yolojax.training.step import create_state, train_step

ANCHORS = ((6, 8), (12, 10))


def batch(grid):
    rng = np.random.default_rng(0)
    targets = [assign([[2, 3, 20, 30], [30, 8, 60, 20]], [n, 1], grid, max_boxes=3, rule="best") for n in range(2)]
    return rng.integers(0, 256, (2, *grid.size, 3), np.uint8), jax.tree.map(lambda *x: np.stack(x), *targets)


class Same(nn.Module):
    """A neck that returns the features."""

    def __call__(self, features, *, strides, train):
        return features


# One scale after one stage, because compiling takes the time; all stages and the real neck are in the slow tests.
@pytest.mark.parametrize(
    ("name", "strides", "neck"),
    [("darknet53", (2,), Same), ("resnet18", (4,), Same), pytest.param("csp_darknet53", (2,), Same, marks=pytest.mark.slow)]
    + [
        pytest.param(name, (4, 8, 16, 32, 64), functools.partial(NECKS["fpn"], width=0.0625), marks=pytest.mark.slow)
        for name in BACKBONES
    ],
)
def test_each_backbone_trains(name, strides, neck):
    model = YOLOv3(2, width=0.0625, anchors=2, backbone=BACKBONES[name](width=0.0625, strides=strides), neck=neck)
    assert model_strides(model) == strides and model_anchors(model) == 2
    grid = AnchorGrid((64, 64), strides, (ANCHORS,) * len(strides))
    optimizer = optax.adam(1e-3)  # moves every parameter whose gradient is not 0
    step = jax.jit(lambda s, b: train_step(s, b, model=model, optimizer=optimizer, grid=grid, loss=yolo_loss))
    before = create_state(initialize(model, 0), optimizer)
    state, metrics = step(before, batch(grid))
    changed = jax.device_get(state[1:3])
    for (path, old), new in zip(jax.tree_util.tree_leaves_with_path(before[1:3]), jax.tree.leaves(changed), strict=True):
        assert np.isfinite(new).all() and (old != new).any(), jax.tree_util.keystr(path)
    _, again = step(state, batch(grid))
    assert 0 < again["loss"] < metrics["loss"] and not again["skipped"]


def test_strides_and_anchors_are_found_for_every_kind_of_network():
    for model, strides in NETWORKS.values():
        assert model_strides(model) == strides and model_anchors(model) == 3
    assert model_strides(Small(3, anchors=5)) == (16, 32) and model_anchors(Small(3, anchors=5)) == 5
    network, grid = build_network(parse_cfg(FACE))
    assert model_strides(network) == grid.strides == (4,) and model_anchors(network) == 2


class Heads(nn.Module):
    """Heads of any shapes."""

    shapes: tuple

    @nn.compact
    def __call__(self, images, *, train):
        height, width = images.shape[1:3]
        return [jnp.zeros((len(images), height // stride, width // stride, *rest)) for stride, *rest in self.shapes]


def test_heads_of_a_foreign_network_are_found_or_refused():
    foreign = Heads(((4, 1, 6), (128, 1, 6)))
    assert model_strides(foreign) == (4, 128) and model_anchors(foreign) == 1
    with pytest.raises(InputError, match=r"the network Heads has \[2, 3\] anchors per cell on its scales"):
        model_anchors(Heads(((8, 2, 8), (16, 3, 8))))
    for shapes in (((8, 2, 5),), ((8, 16),)):
        with pytest.raises(InputError, match=r"the network Heads must return raw heads \(B, H_s, W_s, A, 5 \+ C\)"):
            model_strides(Heads(shapes))
    with pytest.raises(InputError, match="the network Dense must return a list or tuple"):
        model_strides(nn.Dense(3))  # has no argument `train`
