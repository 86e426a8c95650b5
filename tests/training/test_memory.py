"""Steps that need less memory: with accumulated gradients, and with recomputed activations."""

import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.cfgs import ZOO
from tests.training.test_step import GRID, MODEL, OPTIMIZER, RATE, STEP, TINY, assert_close, make_batch, needs_eight
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network
from yolojax.errors import InputError
from yolojax.loss import yolo_loss
from yolojax.models import abstract_variables, initialize
from yolojax.models.layers import ConvBN, Head, halve, to_unit_range
from yolojax.runtime.devices import check_batch_size, make_mesh
from yolojax.training.step import compile_train_step, create_state, train_step

PLAIN = """[net]
width=64
height=64
channels=3
[convolutional]
filters=8
size=3
stride=4
pad=1
activation=leaky
[convolutional]
filters=12
size=3
stride=4
pad=1
activation=leaky
[convolutional]
filters=24
size=1
activation=linear
[yolo]
mask=0,1,2
anchors=10,14, 23,27, 37,58
classes=3
num=3
"""
NETWORK, PLAIN_GRID = build_network(parse_cfg(PLAIN))


class Deep(nn.Module):
    """A chain of layers of equal size."""

    num_classes: int = 3
    remat: bool = False

    @nn.compact
    def __call__(self, images, *, train):
        x = ConvBN(8, 3, 2, name="first")(to_unit_range(images, jnp.float32), train=train)
        for layer in range(5):
            x = ConvBN(8, 3, remat=self.remat, name=f"layer{layer}")(x, train=train)
        fine = halve(halve(halve(x)))
        return Head(self.num_classes, 3, name="head16")(fine), Head(self.num_classes, 3, name="head32")(halve(fine))


def plain_batch(pictures):
    batch = make_batch(pictures)
    # This network has only the first scale of that grid.
    targets = batch.targets._replace(
        slots=np.minimum(batch.targets.slots[..., :3], PLAIN_GRID.num_slots), on_scale=batch.targets.on_scale[..., :1]
    )
    return batch._replace(targets=targets)


def start(model, average=False):
    return create_state(jax.tree.map(jnp.asarray, initialize(model, 0)), OPTIMIZER, average=average)


# The gradients of several devices are accumulated like those of one.
@pytest.mark.slow  # test_transformations.py accumulates on eight devices
@pytest.mark.parametrize("devices", [1, pytest.param(8, marks=needs_eight)])
def test_without_batch_normalization_four_times_four_pictures_make_the_update_of_sixteen(devices):
    options = {"model": NETWORK, "optimizer": OPTIMIZER, "grid": PLAIN_GRID, "loss": yolo_loss}
    pictures = 16 if devices == 1 else 32  # on eight devices, four times eight
    expected, expected_metrics = compile_train_step(make_mesh(jax.devices()[:1]), **options)(
        start(NETWORK), plain_batch(pictures)
    )
    step = compile_train_step(make_mesh(jax.devices()[:devices]), accumulate=4, **options)
    before = jax.device_get(start(NETWORK).params)
    state, metrics = step(start(NETWORK), plain_batch(pictures))
    assert_close(metrics, expected_metrics, 1e-5)
    gradients, expected_gradients = (jax.tree.map(np.subtract, before, jax.device_get(s.params)) for s in (state, expected))
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected_gradients)) > 1
    assert_close(gradients, expected_gradients, 1e-5)


@needs_eight
def test_parts_one_after_the_other_by_hand_with_frozen_layers_and_averages_on_eight_devices():
    batch, frozen = make_batch(16), "^conv[12]$"
    step = compile_train_step(make_mesh(jax.devices()[:8]), accumulate=2, frozen=frozen, ema_decay=0.75, **STEP)
    before = jax.device_get(start(MODEL))
    state, metrics = step(start(MODEL, average=True), batch)

    model = MODEL.clone(frozen=frozen)

    @jax.jit
    def part_of(batch_stats, batch):
        def objective(params):
            variables = {"params": params, "batch_stats": batch_stats}
            raw, updates = model.apply(variables, batch.images, train=True, mutable=["batch_stats"])
            terms = yolo_loss(raw, batch.targets, GRID)
            return sum(term.mean() for term in terms), updates["batch_stats"]

        return jax.value_and_grad(objective, has_aux=True)(before.params)

    (first, batch_stats), gradients = part_of(before.batch_stats, jax.tree.map(lambda x: x[0::2], batch))
    (second, batch_stats), more = part_of(batch_stats, jax.tree.map(lambda x: x[1::2], batch))
    assert metrics["loss"] == pytest.approx(float(first + second) / 2, rel=1e-5)
    params = jax.tree.map(lambda w, a, b: w - RATE * (a + b) / 2, before.params, gradients, more)
    params |= {name: before.params[name] for name in ("conv1", "conv2")}
    assert_close(state.params, params, 1e-5)
    assert_close(state.batch_stats, batch_stats, 1e-5)
    averages = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, before.batch_stats, batch_stats)
    assert_close(state.ema["batch_stats"], averages, 1e-5)
    for name in ("conv1", "conv2"):
        for new, old in zip(jax.tree.leaves(state.params[name]), jax.tree.leaves(before.params[name]), strict=True):
            np.testing.assert_array_equal(new, old)


@pytest.mark.slow
@needs_eight
def test_the_parts_of_a_batch_stay_on_their_devices():
    options = {"model": NETWORK, "optimizer": OPTIMIZER, "grid": PLAIN_GRID, "loss": yolo_loss}
    moves = []
    for accumulate in (1, 2):
        step = compile_train_step(make_mesh(jax.devices()[:8]), accumulate=accumulate, **options)
        program = step.lower(start(NETWORK), plain_batch(16)).compile().as_text()
        pattern = r"= \(?(\w+)\[.* (all-reduce|all-gather|all-to-all|collective-permute)\("
        moves.append(sorted(re.findall(pattern, program)))
    # Only gradients, and what the loss needs, are exchanged, but no images.
    assert moves[0] == moves[1] and ("f32", "all-reduce") in moves[0] and "u8" not in dict(moves[0])


def test_parts_that_the_devices_cannot_share_are_refused():
    mesh = make_mesh(jax.devices()[:1])
    check_batch_size(12, mesh, "config.train.batch_size", 3)
    with pytest.raises(InputError, match=r"must be a multiple of the number of devices, 1 times config.train.accumulate, 5$"):
        check_batch_size(12, mesh, "config.train.batch_size", 5)


@functools.cache
def stored_and_recomputed(model):
    """The compiled steps of a network, without and with rematerialisation."""
    step = functools.partial(compile_train_step, make_mesh(jax.devices()[:1]), **STEP | {"model": model})
    return [step(remat=remat).lower(start(model), make_batch(16)).compile() for remat in (False, True)]


@pytest.mark.slow  # test_gradients.py has the gradients
@pytest.mark.parametrize("model", [Deep(), TINY], ids=["deep", "tiny"])
def test_activations_computed_anew_give_the_same_step(model):
    (expected, expected_metrics), (state, metrics) = (
        program(start(model), make_batch(16)) for program in stored_and_recomputed(model)
    )
    assert_close(metrics, expected_metrics, 1e-5)
    assert_close(state.params, expected.params, 1e-5)
    assert_close(state.batch_stats, expected.batch_stats, 1e-5)


@pytest.mark.slow
def test_activations_computed_anew_need_less_memory():
    kept, anew = (program.memory_analysis().temp_size_in_bytes for program in stored_and_recomputed(Deep()))
    # For YOLOv3 it is a third. On a GPU the compiler needs less from the start.
    assert anew < (0.9 if jax.default_backend() == "cpu" else 1) * kept


def recomputed_in(model, grid, batch, remat):
    """How many layers of a network a training step recomputes."""
    state = jax.eval_shape(functools.partial(create_state, optimizer=OPTIMIZER), abstract_variables(model))
    step = functools.partial(train_step, model=model, optimizer=OPTIMIZER, grid=grid, loss=yolo_loss, remat=remat)
    return str(jax.make_jaxpr(step)(state, batch)).count("prevent_cse=True")


def test_every_convolution_but_the_heads_is_computed_anew():
    assert [recomputed_in(TINY, GRID, make_batch(2), remat) for remat in (False, True)] == [0, 11]


def test_every_convolution_of_a_cfg_is_computed_anew():
    model, grid = build_network(parse_cfg(ZOO))
    shape = jax.ShapeDtypeStruct
    targets = [shape((2, 4, 4), jnp.float32), shape((2, 4), jnp.int32), shape((2, 4, 6), jnp.int32), shape((2, 4, 2), bool)]
    batch = make_batch(2)._replace(images=shape((2, *grid.size, 3), jnp.uint8))
    batch = batch._replace(targets=type(batch.targets)(*targets))
    convolutions = {path[0].key for path, _ in jax.tree_util.tree_leaves_with_path(abstract_variables(model)["params"])}
    assert [recomputed_in(model, grid, batch, remat) for remat in (False, True)] == [0, len(convolutions)]
