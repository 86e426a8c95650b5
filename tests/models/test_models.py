"""The networks: floats and FLOPs of the published ones, shapes, gradients, and layers against literal NumPy."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.config import ModelConfig
from yolojax.errors import InputError
from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables, build_grid, build_model, count_floats, initialize
from yolojax.models.layers import ConvBN, halve, pool, scaled, upsample

NETWORKS = {
    "yolov3": (YOLOv3(3, width=0.125), (8, 16, 32)),
    "spp": (YOLOv3(3, spp=True, width=0.125), (8, 16, 32)),
    "tiny": (YOLOv3Tiny(3, width=0.125), (16, 32)),
}


@pytest.mark.parametrize(
    "model, floats",
    [
        (YOLOv3(80), 62_001_757),
        (YOLOv3(80, spp=True), 63_052_381),
        (YOLOv3(20), 61_678_657),
        (YOLOv3Tiny(80), 8_858_734),
    ],
)
def test_floats_are_those_of_the_published_weights_files(model, floats):
    assert count_floats(abstract_variables(model)) == floats


@pytest.mark.parametrize("model, flops", [(YOLOv3(80), 65.86e9), (YOLOv3Tiny(80), 5.56e9)])
def test_flops_of_the_convolutions_are_those_that_darknet_prints(model, flops):
    assert convolution_flops(model, (1, 416, 416, 3)) == pytest.approx(flops, rel=2e-3)


@pytest.mark.parametrize("name", [n if n == "tiny" else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_forward_backward_shapes_and_a_gradient_for_every_parameter(name):
    model, strides = NETWORKS[name]
    variables = initialize(model, 0)
    height, width = 64, 96
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8))

    def objective(params):
        raw, updates = model.apply(
            {"params": params, "batch_stats": variables["batch_stats"]}, images, train=True, mutable=["batch_stats"]
        )
        return sum((head**2).mean() for head in raw), (raw, updates["batch_stats"])

    gradients, (raw, batch_stats) = jax.device_get(jax.jit(jax.grad(objective, has_aux=True))(variables["params"]))
    assert [head.shape for head in raw] == [(2, height // s, width // s, 3, 8) for s in strides]
    assert all(head.dtype == np.float32 and np.isfinite(head).all() for head in raw)
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, jax.tree_util.keystr(path)
    for old, new in zip(jax.tree.leaves(variables["batch_stats"]), jax.tree.leaves(batch_stats), strict=True):
        assert (old != new).any()


def test_bytes_and_floats_in_the_unit_range_are_the_same_picture():
    model, _ = NETWORKS["tiny"]
    variables = initialize(model, 0)
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    forward = jax.jit(lambda x: model.apply(variables, x, train=False))
    for a, b in zip(forward(images), forward(images.astype(np.float32) / 255), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_bfloat16_computes_in_bfloat16_and_keeps_parameters_and_heads_in_float32():
    model = YOLOv3Tiny(3, width=0.125, dtype=jnp.bfloat16)
    variables = initialize(model, 0)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}
    images = jnp.ones((1, 32, 32, 3))
    forward = jax.jit(functools.partial(model.apply, train=False))
    assert "bf16[1,32,32,4]" in str(jax.make_jaxpr(forward)(variables, images))
    assert {head.dtype for head in forward(variables, images)} == {jnp.dtype(jnp.float32)}


def test_initial_values_follow_the_modules_own_initializers():
    model, _ = NETWORKS["tiny"]
    ours, again, other = initialize(model, 0), initialize(model, 0), initialize(model, 1)
    theirs = jax.jit(lambda: model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False))()
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert all(map(np.array_equal, jax.tree.leaves(ours), jax.tree.leaves(again)))
    for (path, a), b, c in zip(
        jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), jax.tree.leaves(other), strict=True
    ):
        name = jax.tree_util.keystr(path)
        assert a.shape == b.shape and a.dtype == b.dtype, name
        if path[-1].key == "kernel":
            assert not np.array_equal(a, c), name
            # Standard deviations of n draws differ by about 1 / sqrt(n) of themselves.
            assert np.std(a) == pytest.approx(float(np.std(b)), rel=6 / math.sqrt(a.size)), name
            assert abs(np.mean(a)) < 5 * np.std(a) / math.sqrt(a.size), name
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


def test_an_untrained_network_says_that_one_slot_in_a_hundred_holds_an_object():
    model, _ = NETWORKS["tiny"]
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    raw = jax.jit(functools.partial(model.apply, train=False))(initialize(model, 0), images)
    for head in raw:
        assert float(jax.nn.sigmoid(head[..., 4]).mean()) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("kernel, stride", [(1, 1), (3, 1), (3, 2)])
def test_convolutions_pad_as_darknet_does(kernel, stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 6, 8, 2))
    layer = ConvBN(3, kernel, stride)
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
    expected = np.where(expected > 0, expected, 0.1 * expected)
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


@pytest.mark.parametrize("name, scales", [("yolov3", 3), ("yolov3_spp", 3), ("yolov3_tiny", 2)])
def test_model_and_grid_of_a_configuration_fit_each_other(name, scales):
    config = ModelConfig(name=name, num_classes=2, width=0.125)
    grid = build_grid(config, (64, 96))
    variables = initialize(build_model(config), 0)
    raw = jax.eval_shape(
        lambda v, x: build_model(config).apply(v, x, train=False), variables, jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.uint8)
    )
    assert len(raw) == scales
    assert sum(math.prod(head.shape[1:4]) for head in raw) == grid.num_slots
    assert build_grid(config, 64) == build_grid(config, (64, 64))


def test_anchors_of_a_configuration_are_used_whatever_their_number():
    anchors = (((10, 14), (23, 27)), ((37, 58), (81, 82)))
    config = ModelConfig(name="yolov3_tiny", num_classes=2, width=0.125, anchors=anchors)
    assert build_grid(config, 64).anchors == anchors
    assert build_model(config).anchors == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"name": "yolov2"}, "config.model.name"),
        ({"num_classes": 0}, "config.model.num_classes"),
        ({"anchors": (((1, 2), (3, 4)), ((1, 2),), ((1, 2),))}, "config.model.anchors"),
    ],
)
def test_wrong_model_configurations_are_refused_by_field(change, message):
    config = ModelConfig(**{"num_classes": 2, **change})
    with pytest.raises(InputError, match=message):
        build_model(config)
        build_grid(config, 64)


def convolution_flops(model, shape):
    """Operations of the convolutions of a forward pass of images of that shape."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    jaxpr = jax.make_jaxpr(lambda v, x: model.apply(v, x, train=False))(abstract_variables(model), images)
    return _convolution_flops(jaxpr.jaxpr)


def _convolution_flops(jaxpr):
    flops = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            flops += 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel[:-1])
        for value in equation.params.values():
            if hasattr(value, "jaxpr"):
                flops += _convolution_flops(value.jaxpr)
    return flops
