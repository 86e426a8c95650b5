"""Starting from another run: what is loaded and printed, frozen layers, and layers with a rate of their own."""

import functools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.helpers.saved_run import save_run
from tests.helpers.tiny_config import get_config
from tests.training.test_step import MODEL, STEP, TINY, make_batch
from yolojax.config import OptimizerConfig
from yolojax.darknet.weights import write_weights
from yolojax.errors import InputError
from yolojax.models import YOLOv3, YOLOv3Tiny, initialize
from yolojax.models.layers import layer_of
from yolojax.runs.workdir import load_run
from yolojax.training.loop import train_and_evaluate
from yolojax.training.optimizer import make_optimizer
from yolojax.training.preflight import count_flops
from yolojax.training.step import create_state, train_step
from yolojax.training.transfer import check_decay, check_freeze, check_rates, initial_values

BUT_HEADS = "^(?!head)"


def by_layer(variables):
    """{(layer, collection, name): array}."""
    flat = jax.tree_util.tree_leaves_with_path(variables)
    return {(layer_of(path[1:]), path[0].key, path[-1].key): np.asarray(leaf) for path, leaf in flat}


def test_layers_are_named_by_their_path():
    layers = {layer for layer, *_ in by_layer(initialize(YOLOv3(2, width=0.125), 0))}
    assert {"backbone/stem", "backbone/stage1_block1_reduce", "neck32_conv1", "head8"} <= layers
    assert len(layers) == 75
    assert {layer for layer, *_ in by_layer(initialize(MODEL, 0))} >= {"conv1", "head16", "head32"}


@pytest.mark.parametrize("average", [False, True])
def test_frozen_layers_are_held_to_the_bit(average):
    variables = jax.tree.map(jnp.asarray, initialize(MODEL, 0))
    optimizer = optax.adamw(1e-2, weight_decay=0.1)
    state = create_state(variables, optimizer, average=average)
    before = {"params": state.params, "batch_stats": state.batch_stats}
    step = jax.jit(functools.partial(train_step, **{**STEP, "optimizer": optimizer}, ema_decay=0.9, frozen=BUT_HEADS))
    for seed in range(3):
        state, metrics = step(state, make_batch(seed=seed))
    assert np.isfinite(metrics["loss"])
    trees = [{"params": state.params, "batch_stats": state.batch_stats}] + [state.ema] * average
    for after in trees:
        after = by_layer(after)
        for name, array in by_layer(before).items():
            assert (array == after[name]).all() == (not name[0].startswith("head")), name


def test_frozen_layers_normalize_as_in_evaluation():
    variables = initialize(TINY, 0)
    images = make_batch().images

    def trained(frozen):
        model = TINY.clone(frozen=frozen)
        return jax.jit(lambda v: model.apply(v, images, train=True, mutable=["batch_stats"]))(variables)

    expected = jax.jit(lambda v: TINY.apply(v, images, train=False))(variables)
    raw, updates = trained(".")
    for one, other in zip(raw, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    jax.tree.map(np.testing.assert_array_equal, updates["batch_stats"], variables["batch_stats"])
    # The statistics of the other layers still follow the batch.
    _, updates = trained("^conv1$")
    moved = {layer for (layer, _, name), leaf in by_layer(updates).items() if name == "mean" and leaf.any()}
    assert "conv1" not in moved and {"conv2", "detect16"} <= moved


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_layers_have_rates_of_their_own(name):
    params = initialize(MODEL, 0)["params"]
    gradients = jax.tree.map(lambda leaf: np.full_like(leaf, 0.3), params)
    rates = (("^conv1$", 0.0), ("^conv", 0.5), ("head", 2.0))
    updates = []
    for layer_rates in ((), rates):
        optimizer = make_optimizer(OptimizerConfig(name=name, layer_rates=layer_rates, clip_norm=1.0), lambda step: 0.1)
        update = jax.jit(optimizer.update)
        _, state = update(gradients, jax.jit(optimizer.init)(params), params)
        update, _ = update(gradients, state, params)
        updates.append(by_layer({"params": update}))
    for key, plain in updates[0].items():
        # The first pattern that matches counts.
        factor = 0.0 if key[0] == "conv1" else 0.5 if key[0].startswith("conv") else 2.0 if "head" in key[0] else 1.0
        np.testing.assert_allclose(updates[1][key], factor * plain, rtol=1e-6, atol=1e-12)
        assert plain.any()


def config_of(epochs, **model):
    config = get_config()
    config.data.digits_train, config.data.digits_val = 16, 4
    config.train.epochs = config.train.eval_epochs = epochs
    for name, value in model.items():
        setattr(config.model, name, value)
    return config


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("first") / "run"
    save_run(workdir, config_of(1.0), 2, jax.tree.map(jnp.asarray, initialize(YOLOv3Tiny(10, width=0.125), 3)))
    return workdir


def test_what_fits_is_loaded_and_the_rest_is_said(first):
    run = load_run(first)
    model = YOLOv3Tiny(4, width=0.125)
    fresh = initialize(model, 7)
    values, lines = initial_values(first, fresh, model)
    loaded, trained, initial = by_layer(values), by_layer(run.variables), by_layer(fresh)
    assert loaded.keys() == initial.keys()
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, initial[name] if name[0].startswith("head") else trained[name])
    floats = sum(array.size for name, array in trained.items() if not name[0].startswith("head"))
    assert lines == [
        f"initial values from {first}, step {run.step}:",
        f"  loaded       11 layers, {floats:,} floats",
        "  start anew    2 layers: head16 (45 there, 27 outputs here), head32 (45 there, 27 outputs here)",
        "  not used      0 layers",
    ]
    again, _ = initial_values(first / "checkpoints" / str(run.step), fresh, model)
    jax.tree.map(np.testing.assert_array_equal, again, values)


def test_another_network_takes_what_it_can_or_is_refused(first, tmp_path):
    with pytest.raises(InputError, match=r"no layer of .*run fits this network"):
        initial_values(first, initialize(YOLOv3(10, width=0.125), 0), YOLOv3(10, width=0.125))
    for path, problem in (
        (tmp_path, "is not a workdir"),
        (tmp_path / "no", "does not exist"),
        (first / "config.json", "is not a w"),
    ):
        with pytest.raises(InputError, match=rf"^--weights \(config\.init_from\): .* {problem}.*: give the folder of a run"):
            initial_values(path, initialize(MODEL, 0), MODEL)


def test_darknets_weights_are_loaded_whole_without_their_heads_or_as_a_backbone(tmp_path):
    whole = YOLOv3(2, width=0.125)
    written = initialize(whole, 1)
    write_weights(tmp_path / "whole.weights", whole, written)
    backbone = sum(leaf.size for leaf in jax.tree.leaves([written[kind]["backbone"] for kind in written]))
    data = (tmp_path / "whole.weights").read_bytes()
    (tmp_path / "part.weights").write_bytes(data[: 20 + 4 * backbone])
    (tmp_path / "cut.weights").write_bytes(data[: 20 + 4 * backbone + 4])
    for name, classes, taken in (("whole", 2, ""), ("whole", 5, BUT_HEADS), ("part", 5, "^backbone")):
        model = YOLOv3(classes, width=0.125)
        fresh = initialize(model, 2)
        values, lines = initial_values(tmp_path / f"{name}.weights", fresh, model)
        source, initial = by_layer(written), by_layer(fresh)
        for key, array in by_layer(values).items():
            np.testing.assert_array_equal(array, source[key] if re.search(taken, key[0]) else initial[key])
        number = len({layer for layer, *_ in source if re.search(taken, layer)})
        assert lines[0] == f"initial values from {tmp_path}/{name}.weights:"
        assert lines[1].startswith(f"  loaded      {number:3} layers")
    for name in ("cut", "absent"):
        with pytest.raises(InputError, match=rf"^--weights \(config\.init_from\): .*{name}\.weights"):
            initial_values(tmp_path / f"{name}.weights", fresh, model)


@pytest.mark.slow  # test_frozen_layers_are_held_to_the_bit does so without a run
def test_a_run_starts_from_another_and_holds_its_backbone_for_a_while(first, tmp_path, capfd):
    config = config_of(3.0)
    config.init_from = str(first)
    config.train.freeze, config.train.freeze_epochs = BUT_HEADS, 2.0
    config.train.checkpoint_steps = 2
    config.seed = 3
    train_and_evaluate(config, tmp_path / "run")
    printed = "".join(capfd.readouterr())
    assert "loaded       13 layers" in printed and "11 of 13 layers are frozen for the first 4 steps" in printed
    source = by_layer(load_run(first).variables)
    held, free = (by_layer(load_run(tmp_path / "run", step).variables) for step in (4, 6))
    for name, array in source.items():
        if not name[0].startswith("head"):
            np.testing.assert_array_equal(held[name], array)
            assert (free[name] != array).any()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(line["loss"]) for line in lines)


def test_a_pattern_must_hold_some_layers_but_not_all():
    variables = initialize(TINY, 0)
    assert check_freeze("^conv", variables) == "7 of 13 layers are frozen"
    with pytest.raises(InputError, match=r"config\.train\.freeze='stem' matches no layer; the layers are conv1, .*head32"):
        check_freeze("stem", variables)
    with pytest.raises(InputError, match="matches all layers, so nothing would be trained"):
        check_freeze(".", variables)


def test_a_decay_of_no_layer_is_refused():
    variables = initialize(TINY, 0)
    assert check_decay("^(?!head)", variables) == "the kernels of 11 of 13 layers decay"
    with pytest.raises(InputError, match=r"config\.optimizer\.decay_layers='stem' matches no layer; .* conv1, .*head32"):
        check_decay("stem", variables)


def test_a_rate_of_no_layer_is_refused():
    variables = initialize(TINY, 0)
    check_rates((("^conv", 0.1), ("head", 2.0)), variables)
    with pytest.raises(InputError, match=r"config\.optimizer\.layer_rates: 'stem' matches no layer; .* conv1, .*head32"):
        check_rates((("^conv", 0.1), ("stem", 0.1)), variables)


def test_only_free_layers_cost_a_backward_pass():
    # With a frozen backbone the program has a fraction of the operations.
    state = create_state(jax.tree.map(jnp.asarray, initialize(MODEL, 0)), STEP["optimizer"])
    flops = [
        count_flops(jax.make_jaxpr(functools.partial(train_step, **STEP, frozen=frozen))(state, make_batch()).jaxpr)
        for frozen in ("", BUT_HEADS)
    ]
    assert flops[1] < 0.5 * flops[0]
