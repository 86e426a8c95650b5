"""Functions of batches on Explicit meshes: the values and the layouts of their results."""

import functools

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from tests.helpers.foreign import Plain
from tests.test_loss import SMALL, random_case
from yolojax.config import EvalConfig
from yolojax.data.batch import ValBatch
from yolojax.decode import decode
from yolojax.evaluation.evaluate import compile_eval_step
from yolojax.explicit import auto_sharded
from yolojax.grid import TINY_ANCHORS, AnchorGrid
from yolojax.inference import Recipe
from yolojax.loss import paper_loss, yolo_loss
from yolojax.models import initialize
from yolojax.nms import postprocess
from yolojax.runtime.devices import make_mesh, shardings
from yolojax.targets import assign

pytestmark = pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Explicit,), devices=jax.devices()[:4])


def found(raw, targets):
    return postprocess(decode(raw, SMALL), score_threshold=0.2)


FUNCTIONS = {
    "yolo_loss": functools.partial(yolo_loss, grid=SMALL),
    "paper_loss": functools.partial(paper_loss, grid=SMALL),
    "decode": lambda raw, targets: decode(raw, SMALL),
    "postprocess": found,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_those_of_one_device_and_rows_stay_where_they_are(name, mesh):
    raw, _, targets = random_case(0, SMALL, (3, 0, 2, 1))
    expected = jax.jit(FUNCTIONS[name])(raw, targets)
    sharded = jax.device_put((raw, targets), NamedSharding(mesh, PartitionSpec("batch")))
    outcome = jax.jit(FUNCTIONS[name])(*sharded)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), outcome, expected)
    assert all(jax.typeof(leaf).sharding.spec[0] == "batch" for leaf in jax.tree.leaves(outcome))


def test_gradients_are_those_of_one_device(mesh):
    def total(raw, targets):
        return sum(term.sum() for term in yolo_loss(raw, targets, SMALL))

    raw, _, targets = random_case(0, SMALL, (3, 0, 2, 1))
    sharded = jax.device_put((raw, targets), NamedSharding(mesh, PartitionSpec("batch")))
    gradient = jax.jit(jax.grad(total))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), gradient(*sharded), gradient(raw, targets)
    )


def test_whole_results_and_arguments_of_other_kinds(mesh):
    @auto_sharded(rows=False)
    def add(x, name, *, pair):
        assert name == "name"
        return (x.reshape(2, -1) + pair[0]).sum(0), pair[1]

    x = jax.device_put(np.arange(8.0, dtype=np.float32), NamedSharding(mesh, PartitionSpec("batch")))
    values, same = jax.jit(add, static_argnames="name")(x, "name", pair=(np.float32(1), None))
    np.testing.assert_array_equal(values, [6, 8, 10, 12])
    assert same is None and jax.typeof(values).sharding.spec == PartitionSpec(None)
    np.testing.assert_array_equal(add(np.arange(8.0), "name", pair=(1, None))[0], [6, 8, 10, 12])


def test_an_evaluation_is_that_of_one_device(mesh):
    grid = AnchorGrid((64, 64), (16, 32), TINY_ANCHORS)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 64, 64, 3), np.uint8)
    targets = assign([[5, 5, 30, 40]], [1], grid, max_boxes=2)
    batch = ValBatch(images, jax.tree.map(lambda x: np.stack([x] * 4), targets), np.ones(4, np.float32))
    variables = initialize(Plain(), 0)
    options = {"model": Plain(), "recipe": Recipe(grid, ("a", "b", "c")), "loss": yolo_loss, "config": EvalConfig()}
    outcomes = []
    for devices in (mesh, make_mesh(jax.devices()[:1])):
        replicated, rows = shardings(devices)
        step = compile_eval_step(replicated, rows, **options)
        outcomes.append(jax.device_get(step(jax.device_put(variables, replicated), jax.device_put(batch, rows))))
    assert outcomes[0][0].valid.any()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), *outcomes)
