"""The layers against literal NumPy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.models.layers import ConvBN, halve, pool, scaled, upsample


@pytest.mark.parametrize("kernel, stride, activation", [(1, 1, "leaky"), (3, 1, "none"), (3, 2, "leaky"), (7, 2, "tanh")])
def test_convolutions_pad_as_darknet_does(kernel, stride, activation):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 6, 8, 2))
    layer = ConvBN(
        3, kernel, stride, **{"leaky": {}, "none": {"activation": None}, "tanh": {"activation": jnp.tanh}}[activation]
    )
    variables = jax.tree.map(lambda leaf: rng.uniform(0.5, 1.5, leaf.shape), layer.init(jax.random.key(0), x, train=False))
    weights, bn = variables["params"]["conv"]["kernel"], variables["params"]["bn"]
    stats = variables["batch_stats"]["bn"]

    pad = kernel // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    expected = np.zeros((1, 6 // stride, 8 // stride, 3))
    for row in range(expected.shape[1]):
        for column in range(expected.shape[2]):
            window = padded[0, row * stride : row * stride + kernel, column * stride : column * stride + kernel]
            expected[0, row, column] = np.einsum("hwc,hwco->o", window, weights)
    expected = (expected - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * bn["scale"] + bn["bias"]
    if activation == "leaky":
        expected = np.where(expected > 0, expected, 0.1 * expected)
    elif activation == "tanh":
        expected = np.tanh(expected)
    np.testing.assert_allclose(layer.apply(variables, x, train=False), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [2, 5, 9, 13])
def test_pooling_by_stride_one_starts_where_darknet_starts(size):
    x = np.random.default_rng(0).normal(size=(1, 7, 6, 2)).astype(np.float32)
    before = (size - 1) // 2  # Darknet's offset -padding / 2 with padding = size - 1
    expected = np.empty_like(x)
    for row in range(7):
        for column in range(6):
            top, left = max(row - before, 0), max(column - before, 0)
            expected[0, row, column] = x[0, top : row - before + size, left : column - before + size].max((0, 1))
    np.testing.assert_array_equal(pool(jnp.asarray(x), size), expected)


def test_halving_and_upsampling():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    expected = np.empty((2, 2, 3, 3), np.float32)
    for row in range(2):
        for column in range(3):
            expected[:, row, column] = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max((1, 2))
    np.testing.assert_array_equal(halve(jnp.asarray(x)), expected)
    gradient = jax.grad(lambda x: (halve(x) * 3).sum())(jnp.asarray(x))
    np.testing.assert_array_equal(np.asarray(gradient) > 0, np.kron(expected, np.ones((1, 2, 2, 1))) == x)
    np.testing.assert_array_equal(upsample(jnp.asarray(x)), np.kron(x, np.ones((1, 2, 2, 1))))
    np.testing.assert_array_equal(upsample(jnp.asarray(x), 3), np.kron(x, np.ones((1, 3, 3, 1))))


def test_the_first_of_equal_numbers_gets_the_whole_gradient_of_a_maximum():
    x = np.random.default_rng(0).integers(0, 3, (2, 4, 6, 3)).astype(np.float32)
    below = np.random.default_rng(1).normal(size=(2, 2, 3, 3)).astype(np.float32)
    expected = np.zeros_like(x)
    for picture, row, column, channel in np.ndindex(below.shape):
        block = x[picture, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
        i, j = np.unravel_index(block.argmax(), (2, 2))
        expected[picture, 2 * row + i, 2 * column + j, channel] = below[picture, row, column, channel]
    gradient = jax.jit(jax.grad(lambda x: (halve(x) * below).sum()))(x)
    np.testing.assert_array_equal(gradient, expected)


def test_a_number_that_is_not_one_passes_a_maximum():
    x = np.zeros((1, 2, 8, 1), np.float32)
    x[0, [0, 0, 1, 1], [0, 3, 4, 7]] = np.nan
    assert np.isnan(halve(jnp.asarray(x))).all()
    assert np.isnan(jax.jvp(halve, (jnp.asarray(x),), (jnp.asarray(x),))[0]).all()


def test_a_maximum_that_is_computed_twice_and_rounded_in_two_ways_has_a_finite_gradient():
    # A compiler may compute the maximum in the gradient anew, and with other rounding: XLA on a CPU does so here, unoptimized.
    # Whoever asks which of the four numbers equals the maximum then finds none, and shares the gradient among none.
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            return halve(ConvBN(8, 3)(halve(ConvBN(8, 3)(x, train=True)), train=True))

    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 32, 32, 3)).astype(np.float32)
    variables = jax.jit(Network().init)(jax.random.key(0), x)
    params = jax.tree.map(lambda leaf: leaf + rng.normal(0, 0.1, leaf.shape).astype(np.float32), variables["params"])
    below = rng.normal(size=(8, 8, 8, 8)).astype(np.float32)

    def loss(params):
        out, _ = Network().apply({**variables, "params": params}, x, mutable=["batch_stats"])
        return (out * below).sum()

    gradient = jax.jit(jax.grad(loss), compiler_options={"xla_backend_optimization_level": 0})(params)
    assert all(np.isfinite(leaf).all() and leaf.any() for leaf in jax.tree.leaves(gradient))


def test_width_multiplier_rounds_to_multiples_of_four():
    assert [scaled(c, 1) for c in (16, 32, 255)] == [16, 32, 255]
    assert [scaled(c, 0.25) for c in (16, 32, 64, 1024)] == [4, 8, 16, 256]
    assert scaled(64, 0.7) == 44
