"""The cost of a step: operations and memory against known values, and the largest batch that fits."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.networks import convolution_flops
from tests.helpers.tiny_config import get_config
from tests.training.test_memory import PLAIN_GRID, plain_batch
from tests.training.test_step import GRID, OPTIMIZER, STEP, TINY, needs_eight
from yolojax.data.pipeline import train_batches
from yolojax.errors import InputError
from yolojax.models import abstract_variables, build_grid
from yolojax.runtime.devices import make_mesh, put, shardings
from yolojax.training import preflight
from yolojax.training.loop import resolve, train_and_evaluate
from yolojax.training.preflight import (
    Cost,
    abstract_batch,
    check_memory,
    compile_ahead,
    count_flops,
    host_memory,
    largest_that_fits,
    memory_limit,
)
from yolojax.training.step import TrainState, create_state, split_batch, train_step

PIXELS = 64 * 64 * 3
HEADS = {"head16": 4 * 4, "head32": 2 * 2}  # cells of each
CONFIG = get_config()
CONFIG.data.max_boxes = 4


def program_of(devices=1, accumulate=1, width=4):
    """A step that multiplies the pixels of each part by a matrix: (jitted, abstract state, sharding of the batch)."""
    replicated, batch_sharding = shardings(make_mesh(jax.devices()[:devices]))

    def step(state, batch):
        def multiply(images):
            return (images.reshape(len(images), -1).astype(jnp.float32) @ state.params["kernel"]).sum(0)

        total = jax.lax.map(multiply, split_batch(batch.images, accumulate)).sum(0)
        return state._replace(params={"kernel": state.params["kernel"] + total[None]}), total.sum()

    compiled = jax.jit(step, in_shardings=(replicated, batch_sharding), out_shardings=replicated, donate_argnums=0)
    kernel = jax.ShapeDtypeStruct((PIXELS, width), jnp.float32, sharding=replicated)
    return compiled, TrainState(None, {"kernel": kernel}, None, None, None), batch_sharding


def cost_of(pictures, devices=1, accumulate=1, width=4):
    """(Cost of a step, bytes of its state, bytes of its batch)."""
    step, state, batch_sharding = program_of(devices, accumulate, width)
    batch = abstract_batch(CONFIG, PLAIN_GRID, pictures, batch_sharding)
    _, cost = compile_ahead(step, state, batch)
    sizes = (sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) for tree in (state, batch))
    return cost, *sizes


def test_operations_and_parameters_of_a_product():
    for accumulate in (1, 4):
        cost, _, _ = cost_of(32, accumulate=accumulate, width=64)
        assert cost.parameters == PIXELS * 64
        assert cost.flops == 2 * 32 * PIXELS * 64


def test_memory_is_the_state_two_batches_and_the_temporary_arrays():
    """One of the temporary arrays has the pixels of a part as floats."""
    for accumulate in (1, 4):
        cost, state, batch = cost_of(32, accumulate=accumulate, width=64)
        floats = 4 * PIXELS * 32 / accumulate
        assert state + 2 * batch + floats <= cost.memory <= state + 2 * batch + 2.2 * floats + PIXELS * 32


@needs_eight
def test_operations_are_those_of_all_devices_and_memory_that_of_each():
    one, state, batch = cost_of(256)
    eight, _, _ = cost_of(256, devices=8)
    assert eight.flops == one.flops
    assert state + 2 * batch / 8 < eight.memory < state + (one.memory - state) / 4


def test_a_training_step_takes_three_times_the_operations_of_the_forward_pass():
    state = jax.eval_shape(functools.partial(create_state, optimizer=OPTIMIZER), abstract_variables(TINY))
    batch = abstract_batch(CONFIG, GRID, 8, shardings(make_mesh(jax.devices()[:1]))[1])
    forward = convolution_flops(TINY, (8, 64, 64, 3))
    # No gradient with respect to the images is needed.
    first = 2 * 8 * 64 * 64 * 9 * 3 * state.params["conv1"]["conv"]["kernel"].shape[-1]
    options = {"whole": {}, "in parts": {"accumulate": 4}, "recomputed": {"remat": True}}
    step = STEP | {"model": TINY}
    flops = {
        name: count_flops(jax.make_jaxpr(functools.partial(train_step, **step, **option))(state, batch).jaxpr)
        for name, option in options.items()
    }
    assert flops["whole"] == flops["in parts"] == 3 * forward - first
    heads = sum(2 * 8 * cells * math.prod(state.params[name]["head"]["kernel"].shape) for name, cells in HEADS.items())
    assert flops["recomputed"] == 4 * forward - first - heads


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_operations_of_a_convolution_and_of_its_gradients_are_counted_alike(stride):
    def total(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        ).sum()

    x, kernel = np.ones((2, 12, 12, 5), np.float32), np.ones((3, 3, 5, 7), np.float32)
    once = 2 * 2 * (12 // stride) ** 2 * 7 * 9 * 5
    assert count_flops(jax.make_jaxpr(total)(x, kernel).jaxpr) == once
    for argument in (0, 1):
        gradient = jax.make_jaxpr(jax.grad(total, argument))(x, kernel).jaxpr
        assert count_flops(gradient) in (once, 2 * once)  # with the convolution itself, or without


@pytest.mark.parametrize("fit", ["letterbox", "darknet_stretch"])
def test_the_program_is_compiled_for_the_batches_that_come(fit):
    config, source = resolve(get_config())
    config.data.fit = fit
    grid = build_grid(config.model, (96, 64))
    batch, _ = next(train_batches(source, config, [grid], 0, 1))
    expected = jax.tree.map(lambda leaf: (leaf.shape, jnp.dtype(leaf.dtype)), batch)
    batch_sharding = shardings(make_mesh(jax.devices()[:1]))[1]
    abstract = abstract_batch(config, grid, config.train.batch_size, batch_sharding)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), abstract) == expected


@given(st.lists(st.integers(0, 50), min_size=2, max_size=80), st.integers(1, 2000), st.integers(0, 80))
def test_the_largest_that_fits_is_found(grows, limit, finite):
    """Against trying every number; the compiler may run out of memory before the devices do."""
    takes = np.cumsum(grows) + 1
    takes = [int(value) if n < finite or value <= limit else math.inf for n, value in enumerate(takes)]
    if takes[-1] <= limit:
        return
    asked = []

    def memory(n):
        asked.append(n)
        return takes[n - 1]

    expected = max((n for n, value in enumerate(takes, start=1) if value <= limit), default=0)
    assert largest_that_fits(memory, len(takes), takes[-1], limit) == expected
    assert len(set(asked)) == len(asked) and all(0 < n < len(takes) for n in asked)


@settings(deadline=None)
@example(1, 1, 212, 64)
@given(st.integers(1, 1000), st.integers(1, 100), st.integers(2, 500), st.integers(1, 10**6))
def test_a_straight_line_takes_few_looks(start, slope, too_many, limit):
    asked = []

    def memory(n):
        asked.append(n)
        return start + slope * n

    if memory(too_many) > limit:
        largest = largest_that_fits(memory, too_many, memory(too_many), limit)
        assert largest == max(0, (limit - start) // slope)
        assert len(asked) <= 2 + 3


def test_what_fits_is_said_in_a_line():
    lines, config = [], get_config()
    check_memory(config, Cost(61_949_149, 395.2e9, 3 * 2**30), 8 * 2**30, 1, None, lines.append)
    check_memory(config, Cost(140_534, 89.2e6, 9 * 2**20), None, 1, None, lines.append)
    assert lines == [
        "61,949,149 parameters; a step takes 395.2 GFLOP and about 3.00 GiB of 8.00 GiB that each device has",
        "140,534 parameters; a step takes 89.2 MFLOP and about 9.0 MiB on each device",
    ]


def test_where_even_the_smallest_batch_does_not_fit():
    config = get_config()
    config.train.accumulate = 2
    message = r"batch_size=8 does not fit: .* than there is on .* any other, not even 4; .*remat=true"
    with pytest.raises(InputError, match=message):
        check_memory(config, None, 100, 2, lambda pictures: None, lambda line: None)


def test_where_the_compiler_runs_out_of_memory_and_the_device_does_not_say_how_much_it_has():
    costs = {pictures: Cost(1, 1.0, 1) if pictures <= 5 else None for pictures in range(1, 9)}
    with pytest.raises(InputError, match=r"more memory than there is on each device; config.train.batch_size=5 is the largest"):
        check_memory(get_config(), None, None, 1, costs.get, lambda line: None)


@needs_eight
@pytest.mark.parametrize("devices, accumulate, largest", [(1, 1, 401), (1, 4, 400), (8, 1, 400)])
def test_a_step_that_does_not_fit_is_refused_with_the_largest_batch_that_does(monkeypatch, devices, accumulate, largest):
    step, state, batch_sharding = program_of(devices, accumulate)
    config, lines = get_config(), []
    config.data.max_boxes, config.train.accumulate, config.train.batch_size = CONFIG.data.max_boxes, accumulate, 640
    limit = cost_of(largest, devices, accumulate)[0].memory
    monkeypatch.setattr(preflight, "memory_limit", lambda device: limit)
    message = f"config.train.batch_size=640 does not fit: .* config.train.batch_size={largest} is the largest that does; "
    with pytest.raises(InputError, match=message):
        preflight.compile_checked(step, config, PLAIN_GRID, state, batch_sharding, lines.append)
    assert "parameters; a step takes" in lines[1] and "looking for the largest batch" in lines[2]

    config.train.batch_size = largest
    program = preflight.compile_checked(step, config, PLAIN_GRID, state, batch_sharding, lines.append)
    kernel = put(np.ones((PIXELS, 4), np.float32), state.params["kernel"].sharding)
    images = np.ones((largest, *PLAIN_GRID.size, 3), np.uint8)
    batch = plain_batch(largest)._replace(images=images)
    _, total = program(state._replace(params={"kernel": kernel}), put(batch, batch_sharding))
    assert total == largest * PIXELS * 4


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_refused_and_the_size_it_names_runs(tmp_path, monkeypatch):
    config = get_config()
    config.train.batch_size, config.train.epochs = 80, 1.0
    monkeypatch.setattr(preflight, "memory_limit", lambda device: 6 * 2**20)
    with pytest.raises(InputError, match=r"config.train.batch_size=80 does not fit: .* is the largest that does") as refused:
        train_and_evaluate(config, tmp_path / "run")
    config.train.batch_size = int(str(refused.value).split("config.train.batch_size=")[2].split()[0])
    assert 0 < config.train.batch_size < 80
    train_and_evaluate(config, tmp_path / "run")


def test_what_a_cpu_and_its_container_have(tmp_path):
    whole = host_memory(tmp_path)
    assert memory_limit(jax.local_devices()[0]) <= whole // jax.local_device_count()
    (tmp_path / "memory.max").write_text("max\n")
    assert host_memory(tmp_path) == whole
    (tmp_path / "memory.max").write_text("5000000\n")
    assert host_memory(tmp_path) == 5_000_000
