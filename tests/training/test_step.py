"""The training step: one device against eight, and what it updates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export
from jax.sharding import AxisType

from tests.helpers.linear import Linear, batch_of, squared_error
from tests.helpers.small import Small
from yolojax.config import OptimizerConfig
from yolojax.data.pipeline import Batch
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.loss import paper_loss, yolo_loss
from yolojax.models import YOLOv3Tiny, initialize
from yolojax.runtime.devices import check_batch_size, make_mesh, shardings
from yolojax.targets import Targets, assign
from yolojax.training.optimizer import make_optimizer
from yolojax.training.step import TrainState, compile_train_step, create_state, eval_variables, train_step

MODEL, TINY = Small(3, momentum=0.9), YOLOv3Tiny(3, width=0.125, momentum=0.9)
GRID = AnchorGrid((64, 64), (16, 32), (((10, 14), (23, 27), (37, 58)), ((81, 82), (35, 69), (44, 19))))
# Plain gradient descent: the change of the parameters is the gradient, scaled up so that it is not lost in rounding.
RATE = 1000.0
OPTIMIZER = optax.sgd(RATE)
STEP = {"model": MODEL, "optimizer": OPTIMIZER, "grid": GRID, "loss": yolo_loss}

needs_eight = pytest.mark.skipif(jax.device_count() < 8, reason="needs eight devices")


def make_batch(pictures=8, seed=0):
    rng = np.random.default_rng(seed)
    targets = []
    for n in range(pictures):
        low = rng.uniform(0, 40, (n % 4, 2))
        boxes = np.concatenate([low, low + rng.uniform(5, 24, low.shape)], 1)
        targets.append(assign(boxes, rng.integers(0, 3, len(boxes)), GRID, max_boxes=4))
    images = rng.integers(0, 256, (pictures, 64, 64, 3), np.uint8)
    return Batch(images, Targets(*map(np.stack, zip(*targets, strict=True))))


def new_state(average=False, model=MODEL):
    return create_state(jax.tree.map(jnp.asarray, initialize(model, 0)), OPTIMIZER, average=average)


def assert_close(a, b, rtol):
    """Compares leaves relative to their largest number, or to a thousandth of the largest number of all leaves."""
    floor = 1e-3 * max(np.abs(np.asarray(leaf, np.float64)).max() for leaf in jax.tree.leaves(b))
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        assert np.abs(x - y).max() <= rtol * max(np.abs(y).max(), floor), jax.tree_util.keystr(path)


@pytest.fixture(scope="module")
def on_one_device():
    before = new_state()
    params = jax.tree.map(np.asarray, before.params)
    state, metrics = compile_train_step(make_mesh(jax.devices()[:1]), **STEP)(before, make_batch())
    return params, jax.device_get(state), jax.device_get(metrics)


@needs_eight
@pytest.mark.slow  # test_layouts.py compares twenty steps of a small network
def test_eight_devices_make_the_update_of_one():
    params = jax.tree.map(np.asarray, new_state(model=TINY).params)
    (expected, expected_metrics), (state, metrics) = (
        compile_train_step(make_mesh(jax.devices()[:n]), **STEP | {"model": TINY})(new_state(model=TINY), make_batch())
        for n in (1, 8)
    )
    gradients = jax.tree.map(np.subtract, params, jax.device_get(state.params))
    expected_gradients = jax.tree.map(np.subtract, params, expected.params)
    assert_close(metrics, expected_metrics, 1e-5)
    assert_close(gradients, expected_gradients, 1e-5)
    assert_close(state.batch_stats, expected.batch_stats, 1e-5)


@pytest.mark.slow
@needs_eight
def test_without_the_axis_name_the_devices_would_drift_apart(on_one_device):
    # test_transformations.py would be meaningless if the parts of the batch did not matter.
    _, expected, _ = on_one_device
    step = jax.pmap(functools.partial(train_step, **STEP), devices=jax.devices()[:8])
    sharded = jax.tree.map(lambda x: x.reshape(8, 1, *x.shape[1:]), make_batch())
    copies = jax.tree.map(lambda x: np.broadcast_to(x, (8, *x.shape)), jax.device_get(new_state()))
    state, _ = step(copies, sharded)
    with pytest.raises(AssertionError):
        assert_close(jax.tree.map(lambda x: np.asarray(x[0]), state.batch_stats), expected.batch_stats, 1e-2)


def test_the_loss_is_the_mean_over_pictures_and_the_sum_of_its_terms(on_one_device):
    params, state, metrics = on_one_device
    batch = make_batch()
    variables = {"params": params, "batch_stats": initialize(MODEL, 0)["batch_stats"]}
    raw, _ = jax.jit(lambda v, x: MODEL.apply(v, x, train=True, mutable=["batch_stats"]))(variables, batch.images)
    terms = jax.device_get(yolo_loss(raw, batch.targets, GRID))
    for name, term in terms._asdict().items():
        assert metrics[name] == pytest.approx(float(term.mean()), rel=1e-4)
    assert metrics["loss"] == pytest.approx(sum(float(metrics[name]) for name in terms._fields), rel=1e-6)
    gradients = jax.tree.map(lambda old, new: (old - new) / RATE, params, state.params)
    assert metrics["gradient_norm"] == pytest.approx(float(optax.tree.norm(gradients)), rel=1e-4)
    assert state.step == 1 and state.ema is None


def four_terms(raw, targets, grid):
    return {**yolo_loss(raw, targets, grid)._asdict(), "size": sum(jnp.square(head).sum((1, 2, 3, 4)) for head in raw)}


FOUR_TERMS = {"box", "objectness", "classification", "size"}


def one_array(raw, targets, grid):
    return sum(four_terms(raw, targets, grid).values())


@pytest.mark.parametrize(
    "loss, names, accumulate",
    [
        (four_terms, FOUR_TERMS, 2),
        (one_array, set(), 1),
        pytest.param(four_terms, FOUR_TERMS, 1, marks=pytest.mark.slow),
        pytest.param(one_array, set(), 2, marks=pytest.mark.slow),
    ],
)
def test_every_term_of_a_loss_counts_and_is_measured(loss, names, accumulate):
    before, batch = new_state(), make_batch()

    def total(params):
        variables = {"params": params, "batch_stats": before.batch_stats}
        terms = []
        for n in range(accumulate):
            images, targets = jax.tree.map(lambda x: x[n::accumulate], batch)  # noqa: B023
            raw, _ = MODEL.apply(variables, images, train=True, mutable=["batch_stats"])
            terms.append(four_terms(raw, targets, GRID))
        means = jax.tree.map(lambda *parts: jnp.concatenate(parts).mean(), *terms)
        return sum(means.values()), means

    (expected, means), gradients = jax.jit(jax.value_and_grad(total, has_aux=True))(before.params)
    state, metrics = jax.jit(functools.partial(train_step, accumulate=accumulate, **STEP | {"loss": loss}))(before, batch)
    assert metrics.keys() == {"loss", "gradient_norm", "skipped", *names}
    assert metrics["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert all(metrics[name] == pytest.approx(float(means[name]), rel=1e-5) for name in names)
    assert_close(jax.tree.map(lambda old, new: (old - new) / RATE, before.params, state.params), gradients, 1e-3)


def test_a_loss_that_mixes_up_pictures_and_classes_is_refused():
    step = functools.partial(train_step, **STEP | {"loss": lambda raw, targets, grid: {"bad": raw[0].mean((0, 1, 2, 3))}})
    with pytest.raises(ValueError, match=r"the term 'bad' of the loss must be \(6,\) floating, .*, not \(8,\) float32"):
        jax.eval_shape(step, new_state(), make_batch(6))


def test_parts_of_a_batch_take_means_of_their_own_boxes():
    loss = functools.partial(paper_loss, wh="log", noobject_weight=100.0, reduction="mean")
    step = functools.partial(train_step, **STEP | {"loss": loss})
    state, batch = new_state(), make_batch()
    _, metrics = jax.jit(functools.partial(step, accumulate=2))(state, batch)
    alone = jax.jit(step)
    parts = [alone(state, jax.tree.map(lambda x: x[n::2], batch))[1] for n in range(2)]  # noqa: B023
    for name in ("loss", "box", "objectness", "classification"):
        np.testing.assert_allclose(metrics[name], (parts[0][name] + parts[1][name]) / 2, rtol=1e-5)
    assert abs(parts[0]["box"] / parts[1]["box"] - 1) > 1e-2


def test_steps_on_the_same_pictures_learn_them():
    step = jax.jit(functools.partial(train_step, **STEP | {"optimizer": optax.adam(3e-3)}))
    state = create_state(jax.tree.map(jnp.asarray, initialize(MODEL, 0)), optax.adam(3e-3))
    losses = []
    for _ in range(40):
        state, metrics = step(state, make_batch())
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.slow  # test_optimizer.py has the search
def test_with_a_line_search_no_step_raises_the_loss_of_its_batch():
    # Without the search, the first step at this rate multiplies the loss by more than ten.
    config = OptimizerConfig(name="sgd", momentum=0.0, weight_decay=0.0, line_search_trials=12)
    optimizer = make_optimizer(config, lambda n: 1.0)
    step = compile_train_step(make_mesh(jax.devices()[:2]), **STEP | {"optimizer": optimizer})

    @jax.jit
    def loss_of(state, batch):
        variables = {"params": state.params, "batch_stats": state.batch_stats}
        raw, _ = MODEL.apply(variables, batch.images, train=True, mutable=["batch_stats"])
        return sum(term.mean() for term in yolo_loss(raw, batch.targets, GRID))

    state = create_state(jax.tree.map(jnp.asarray, initialize(MODEL, 0)), optimizer)
    factors = []
    for seed in range(6):
        batch = make_batch(seed=seed)
        before = float(loss_of(jax.device_get(state), batch))
        state, metrics = step(state, batch)
        after = float(loss_of(jax.device_get(state), batch))
        assert metrics["loss"] == pytest.approx(before, rel=1e-4)
        assert after <= before * (1 + 1e-6)
        factors.append(float(metrics["rate_factor"]))
    assert min(factors) > 0 and len(set(factors)) > 1, factors


def test_averages_follow_parameters_and_statistics_and_are_what_is_evaluated():
    before = jax.device_get(new_state(average=True))
    step = jax.jit(functools.partial(train_step, ema_decay=0.75, **STEP))
    state, _ = step(before, make_batch())
    for name in ("params", "batch_stats"):
        expected = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, getattr(before, name), getattr(state, name))
        assert_close(state.ema[name], expected, 1e-5)
    assert eval_variables(state) is state.ema
    plain = eval_variables(new_state())
    assert set(plain) == {"params", "batch_stats"}


def test_a_warm_up_of_the_averages_forgets_the_initial_values():
    step = jax.jit(functools.partial(train_step, ema_decay=0.75, ema_warmup_steps=2.0, **STEP))
    state = new_state(average=True)
    expected = jax.device_get(state.ema)
    for n in (1, 2, 3):
        state, _ = step(state, make_batch())
        d = 0.75 * (1 - np.exp(-n / 2))
        new = {"params": state.params, "batch_stats": state.batch_stats}
        expected = jax.tree.map(lambda old, new: d * old + (1 - d) * np.asarray(new), expected, new)  # noqa: B023
        assert_close(state.ema, expected, 1e-5)


def test_the_averaged_network_of_a_constant_network_is_that_network():
    # If the parameters do not change, the averaged running statistics belong to exactly these parameters.
    still = STEP | {"optimizer": optax.set_to_zero()}
    step = jax.jit(functools.partial(train_step, ema_decay=0.5, **still))
    state = create_state(jax.tree.map(jnp.asarray, initialize(MODEL, 0)), still["optimizer"], average=True)
    params = jax.device_get(state.params)
    for _ in range(90):
        state, _ = step(state, make_batch())
    assert_close(state.ema["params"], params, 1e-6)
    assert_close(state.ema["batch_stats"], state.batch_stats, 1e-4)


def test_the_state_is_donated_and_the_program_is_compiled_once():
    mesh = make_mesh(jax.devices()[:1])
    step = compile_train_step(mesh, **STEP)
    replicated, batch_sharding = shardings(mesh)
    state = jax.device_put(new_state(), replicated)
    after, _ = step(state, jax.device_put(make_batch(), batch_sharding))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    step(after, jax.device_put(make_batch(seed=1), batch_sharding))
    assert step._cache_size() == 1


@needs_eight
def test_a_batch_that_the_devices_cannot_share_is_refused():
    mesh = make_mesh(jax.devices()[:8])
    check_batch_size(16, mesh, "config.train.batch_size")
    with pytest.raises(InputError, match=r"config.train.batch_size=12 must be a multiple of the number of devices, 8"):
        check_batch_size(12, mesh, "config.train.batch_size")


@pytest.mark.parametrize("frozen", [pytest.param("", marks=pytest.mark.slow), "^conv1$"])
def test_a_loss_that_is_not_finite_changes_nothing_but_the_step(frozen):
    step = compile_train_step(make_mesh(jax.devices()[:1]), ema_decay=0.5, frozen=frozen, **STEP)
    before = new_state(average=True)
    expected = jax.device_get(before)
    batch = make_batch()
    bad = batch[0], batch[1]._replace(boxes=np.where(batch[1].boxes > 0, np.nan, batch[1].boxes).astype(np.float32))
    state, metrics = step(before, bad)
    assert int(metrics["skipped"]) == 1 and not np.isfinite(metrics["loss"])
    assert int(state.step) == 1
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(state)._replace(step=expected.step), expected)
    # The next update is as if nothing had happened.
    state, metrics = step(state, batch)
    assert int(metrics["skipped"]) == 0
    again, _ = step(new_state(average=True), batch)
    jax.tree.map(np.testing.assert_array_equal, state._replace(step=0), again._replace(step=0))


def test_a_step_can_be_exported_for_any_batch_size():
    # The states of optax are not ours to register.
    export.register_namedtuple_serialization(optax.EmptyState, serialized_name="optax.EmptyState")
    optimizer = optax.sgd(0.1)
    state = create_state({"params": Linear().init(jax.random.key(0), batch_of(0)[0])["params"]}, optimizer, average=True)
    step = jax.jit(functools.partial(train_step, model=Linear(), optimizer=optimizer, grid=None, loss=squared_error))
    (rows,) = export.symbolic_shape("rows")
    shapes = Batch(*(jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype) for x in batch_of(0)))
    read = export.deserialize(export.export(step)(jax.eval_shape(lambda: state), shapes).serialize())
    for count in (2, 5):
        batch = Batch(*batch_of(1, count))
        found, expected = read.call(state, batch), step(state, batch)
        assert isinstance(found[0], TrainState)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)


@needs_eight
def test_a_compiled_step_takes_a_mesh_of_any_axes():
    optimizer, params = optax.sgd(0.1), jax.device_get(Linear().init(jax.random.key(0), batch_of(0)[0])["params"])
    meshes = [jax.make_mesh((4, 2), ("a", "b"), axis_types=(kind,) * 2) for kind in (AxisType.Auto, AxisType.Explicit)]
    outcomes = []
    for mesh in (make_mesh(jax.devices()[:1]), *meshes):
        step = compile_train_step(mesh, model=Linear(), optimizer=optimizer, grid=None, loss=squared_error)
        replicated, rows = shardings(mesh)
        state, batch = (
            jax.device_put(create_state({"params": params}, optimizer), replicated),
            jax.device_put(batch_of(0), rows),
        )
        assert batch[0].addressable_shards[0].data.shape[0] == 8 // mesh.size
        outcomes.append(jax.device_get(step(state, batch)))
        assert state.step.is_deleted()
    for outcome in outcomes[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), outcome, outcomes[0])
