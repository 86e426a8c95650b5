"""Batch normalization is that of Flax: its variables, values, gradients and running statistics."""

import contextlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.models.batch_norm import BatchNorm, by_row
from yolojax.runtime.compiler_options import keeping_barriers


def layers(train, **options):
    return BatchNorm(use_running_average=not train, momentum=0.9, **options), nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=1e-5, **options
    )


def a_batch(shape=(3, 5, 4, 6), dtype=np.float64):
    rng = np.random.default_rng(0)
    variables = {
        "params": {"scale": rng.uniform(0.5, 2, shape[-1:]), "bias": rng.standard_normal(shape[-1:])},
        "batch_stats": {"mean": rng.standard_normal(shape[-1:]), "var": rng.uniform(0.5, 2, shape[-1:])},
    }
    return jax.tree.map(lambda leaf: leaf.astype(dtype), variables), (3 * rng.standard_normal(shape) + 1).astype(dtype)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (7, 6)])
@pytest.mark.parametrize("rows", [False, True])
def test_values_statistics_and_gradients_are_those_of_flax(train, shape, rows):
    with jax.enable_x64(True), by_row() if rows else contextlib.nullcontext():
        variables, x = a_batch(shape)

        def results(layer):
            def apply(params, x):
                return layer.apply(variables | {"params": params}, x, mutable=["batch_stats"])

            y, pull, stats = jax.vjp(apply, variables["params"], x, has_aux=True)
            return y, stats, pull(jnp.sin(y))

        options = keeping_barriers() if rows else {}
        found, expected = (
            jax.jit(lambda layer=layer: results(layer), compiler_options=options)()
            for layer in layers(train, dtype=jnp.float64)
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11), found, expected)


def test_its_variables_begin_as_those_of_flax():
    _, x = a_batch(dtype=np.float32)
    found, expected = (layer.init(jax.random.key(0), x) for layer in layers(True))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_an_activation_is_that_of_the_result():
    _, x = a_batch(dtype=np.float32)
    plain, activated = (BatchNorm(use_running_average=False, activation=function) for function in (None, jnp.tanh))
    variables = plain.init(jax.random.key(0), x)
    for context in (contextlib.nullcontext, by_row):
        with context():
            y, z = (layer.apply(variables, x, mutable=["batch_stats"])[0] for layer in (plain, activated))
        np.testing.assert_allclose(jnp.tanh(y), z, atol=1e-6)


def test_by_row_ends_with_its_block():
    _, x = a_batch(dtype=np.float32)
    layer = BatchNorm(use_running_average=False)
    variables = layer.init(jax.random.key(0), x)

    def program():
        return str(jax.make_jaxpr(lambda x: layer.apply(variables, x, mutable=["batch_stats"]))(x))

    with by_row():
        assert "optimization_barrier" in program()
    assert "optimization_barrier" not in program()


def test_an_axis_of_devices_shares_its_statistics():
    variables, x = a_batch((4, 5, 4, 6), np.float32)
    ours, _ = layers(True, axis_name="data")
    alone, _ = layers(True)
    parts = x.reshape(2, 2, *x.shape[1:])
    y, stats = jax.vmap(lambda part: ours.apply(variables, part, mutable=["batch_stats"]), axis_name="data")(parts)
    whole, whole_stats = alone.apply(variables, x, mutable=["batch_stats"])
    np.testing.assert_allclose(y.reshape(x.shape), whole, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[0], b, atol=1e-5), stats, whole_stats)


def test_half_precision_keeps_its_statistics_in_float32():
    variables, x = a_batch(dtype=np.float32)
    found, expected = (
        layer.apply(variables, jnp.asarray(x, jnp.bfloat16), mutable=["batch_stats"])
        for layer in layers(True, dtype=jnp.bfloat16)
    )
    assert found[0].dtype == expected[0].dtype == jnp.bfloat16
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), found[1], expected[1])
    np.testing.assert_allclose(found[0].astype(jnp.float32), expected[0].astype(jnp.float32), rtol=2e-2, atol=2e-2)
