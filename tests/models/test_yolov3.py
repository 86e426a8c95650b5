"""YOLOv3 and its variants: FLOPs, shapes, gradients; backbone and neck as arguments."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.networks import NETWORKS, convolution_flops
from yolojax.errors import InputError
from yolojax.models import FPN, Darknet53, ResNet, YOLOv3, YOLOv3Tiny, abstract_variables, initialize, model_strides
from yolojax.models.layers import ConvBN, Head, pool, scaled, to_unit_range, upsample


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


class Published(nn.Module):
    """YOLOv3 layer by layer as in yolov3.cfg and yolov3-spp.cfg, on three scales only."""

    width: float
    spp: bool

    @nn.compact
    def __call__(self, images, *, train):
        def conv(channels, kernel, name):
            return functools.partial(ConvBN(scaled(channels, self.width), kernel, name=name), train=train)

        fine, middle, x = Darknet53(self.width, name="backbone")(to_unit_range(images, jnp.float32), train=train)
        heads = []
        for stride, half, skip in ((32, 512, middle), (16, 256, fine), (8, 128, None)):
            for number, channels, kernel in ((1, half, 1), (2, 2 * half, 3), (3, half, 1)):
                x = conv(channels, kernel, f"neck{stride}_conv{number}")(x)
            if self.spp and stride == 32:
                x = conv(half, 1, "spp")(jnp.concatenate([pool(x, 13), pool(x, 9), pool(x, 5), x], axis=-1))
            x = conv(half, 1, f"neck{stride}_conv5")(conv(2 * half, 3, f"neck{stride}_conv4")(x))
            heads.append(Head(3, 3, name=f"head{stride}")(conv(2 * half, 3, f"detect{stride}")(x)))
            if skip is not None:
                x = jnp.concatenate([upsample(conv(half // 2, 1, f"up{stride}")(x)), skip], axis=-1)
        return tuple(reversed(heads))


def shapes(model):
    return jax.tree.map(lambda leaf: leaf.shape, abstract_variables(model))


@pytest.mark.parametrize("spp", [False, True])
def test_by_default_and_with_its_own_parts_given_it_has_the_published_layers(spp):
    backbone, neck = functools.partial(Darknet53, 0.3), FPN(spp, width=0.3)
    expected = shapes(Published(0.3, spp))
    assert shapes(YOLOv3(3, spp, 0.3)) == expected
    assert shapes(YOLOv3(3, width=0.3, backbone=backbone, neck=neck)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("spp", [False, True])
def test_outputs_and_gradients_are_those_of_the_published_layers_to_the_bit(spp):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    given = YOLOv3(3, width=0.125, backbone=Darknet53(0.125), neck=FPN(spp, width=0.125))
    results = []
    for model in (Published(0.125, spp), YOLOv3(3, spp, 0.125), given):
        variables = initialize(YOLOv3(3, spp, 0.125), 0)

        def objective(params, model=model, batch_stats=variables["batch_stats"]):
            updated = {"params": params, "batch_stats": batch_stats}
            raw, updates = model.apply(updated, images, train=True, mutable=["batch_stats"])
            return sum((head**2).mean() for head in raw), (raw, updates)

        results.append(jax.device_get(jax.jit(jax.grad(objective, has_aux=True))(variables["params"])))
    expected, *others = results
    for result in others:
        jax.tree.map(np.testing.assert_array_equal, result, expected)


class Own(nn.Module):
    """A backbone with two features and fields of its own."""

    channels: int = 4
    axis_name: str | None = None
    frozen: str = ""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Conv(self.channels, (4, 4), (4, 4), dtype=x.dtype)(x)
        y = ConvBN(self.channels, 3, 2, axis_name=self.axis_name, frozen=self.frozen, name="down")(x, train=train)
        return [x, ConvBN(self.channels, 3, 2, axis_name=self.axis_name, frozen=self.frozen)(y, train=train)]


def test_a_backbone_of_ones_own_gives_the_strides():
    for backbone in (Own, Own(), functools.partial(Own, channels=4), lambda: Own(name="mine")):
        model = YOLOv3(2, width=1 / 64, backbone=backbone)
        assert model_strides(model) == (4, 16)
        params = abstract_variables(model)["params"]
        assert params["backbone"].keys() == {"Conv_0", "down", "ConvBN_0"}
        assert {"up16", "neck16_conv1", "neck4_conv5", "detect4", "head4", "detect16", "head16"} < params.keys()
        assert params["detect16"]["conv"]["kernel"].shape[2:] == (8, 16) and hash(model) == hash(model.clone())
    assert YOLOv3(2, backbone=Own()) == YOLOv3(2, backbone=Own) != YOLOv3(2, backbone=Own(8))
    # As from JSON.
    listed = YOLOv3(2, backbone=Darknet53(1 / 64, strides=[8, 16]))
    assert hash(listed) == hash(YOLOv3(2, backbone=Darknet53(1 / 64, strides=(8, 16)))) and model_strides(listed) == (8, 16)


class Coarser(nn.Module):
    """A neck that adds a scale at half the size of the coarsest one, and one at a quarter."""

    channels: int = 6
    remat: bool = False

    @nn.compact
    def __call__(self, features, *, strides):
        assert strides == (4, 16)
        x = nn.Conv(self.channels, (3, 3), (2, 2))(features[-1])
        return (*features, x, nn.Conv(self.channels, (3, 3), (2, 2))(x))


def test_a_neck_of_ones_own_may_add_scales():
    model = YOLOv3(2, width=1 / 64, anchors=1, backbone=Own, neck=Coarser)
    assert model_strides(model) == (4, 16, 32, 64)
    params = abstract_variables(model)["params"]
    assert params["neck"].keys() == {"Conv_0", "Conv_1"}
    assert [params[f"detect{s}"]["conv"]["kernel"].shape[2:] for s in (4, 16, 32, 64)] == [(4, 4), (4, 4), (6, 8), (6, 16)]


def test_the_common_attributes_reach_backbone_and_neck_where_they_declare_them():
    values = {"dtype": jnp.bfloat16, "momentum": 0.5, "axis_name": "i", "frozen": "down", "remat": True}
    model = YOLOv3(2, backbone=ResNet(18, remat=False), neck=FPN(width=0.5)).clone(**values)
    for part in (model.backbone, model.neck):
        assert {name: getattr(part, name) for name in values} == values
    assert model.backbone.depth == 18 and model.neck.width == 0.5
    model = YOLOv3(2, backbone=Own(8), neck=Coarser).clone(**values)
    assert model.backbone == Own(8, "i", "down") and model.neck == Coarser(remat=True)
    back = model.clone(dtype=jnp.float32, momentum=0.99, axis_name=None, frozen="", remat=False)
    assert back == YOLOv3(2, backbone=Own(8), neck=Coarser())


def test_batch_statistics_of_a_given_backbone_are_shared_over_an_axis_and_frozen():
    model = YOLOv3(2, width=1 / 128, anchors=1, backbone=Own, neck=Coarser)
    variables = initialize(model, 0)
    images = np.random.default_rng(0).random((4, 64, 64, 3), np.float32)

    def statistics(model, images):
        return model.apply(variables, images, train=True, mutable=["batch_stats"])[1]["batch_stats"]["backbone"]

    def over_axis(model):
        halves = images.reshape(2, 2, 64, 64, 3)
        return jax.device_get(
            jax.jit(jax.vmap(functools.partial(statistics, model.clone(axis_name="i")), axis_name="i"))(halves)
        )

    whole = jax.device_get(jax.jit(functools.partial(statistics, model))(images))
    for one, both in zip(jax.tree.leaves(whole), jax.tree.leaves(over_axis(model)), strict=True):
        np.testing.assert_allclose(both, np.stack([one, one]), rtol=1e-5, atol=1e-6)
    frozen = over_axis(model.clone(frozen="backbone/down"))
    for name, old in variables["batch_stats"]["backbone"]["down"]["bn"].items():
        assert (whole["down"]["bn"][name] != old).any() and (frozen["down"]["bn"][name] == old).all()
        assert (frozen["ConvBN_0"]["bn"][name] != old).any()


class Wrong(nn.Module):
    """Features at the strides asked for, whatever they are."""

    made: tuple
    strides: tuple | None = None

    def __call__(self, x, **_):
        return [x[:, ::stride, ::stride] for stride in self.made]


def test_recomputed_layers_of_the_neck_have_the_same_gradient():
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    model = YOLOv3(2, width=1 / 128, anchors=1, backbone=Wrong((8,)))
    variables = initialize(model, 0)
    assert variables["params"].keys() == {*(f"neck8_conv{number}" for number in range(1, 6)), "detect8", "head8"}

    def gradients(model):
        def objective(params):
            raw, _ = model.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
            return sum((head**2).sum() for head in raw)

        return jax.jit(jax.grad(objective))

    recomputed = gradients(model.clone(remat=True))
    assert "remat" in str(jax.make_jaxpr(recomputed)(variables["params"]))
    plain = jax.device_get(gradients(model)(variables["params"]))
    for a, b in zip(jax.tree.leaves(jax.device_get(recomputed(variables["params"]))), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": 3}, "the backbone must be a Flax Linen module, or a callable without arguments that makes one, not 3"),
        ({"neck": dict}, "the neck must be a Flax Linen module, .*not <class 'dict'>"),
        ({"spp": True, "neck": FPN()}, r"spp=True is for the default neck; .*neck=FPN\(spp=True\)"),
        ({"backbone": Wrong((16, 8))}, r"the backbone Wrong makes maps with strides \(16, 8\) of images of 64 x 64 pixels"),
        ({"backbone": Wrong((8, 8))}, r"the backbone Wrong makes maps with strides \(8, 8\)"),
        ({"backbone": Wrong((8, 24))}, r"the backbone Wrong makes \[\(8, 8\), \(3, 3\)\] cells"),
        ({"backbone": Wrong(())}, "the backbone Wrong must return a list or tuple"),
        (
            {"backbone": Wrong((4, 8), (8, 16))},
            r"has strides \(8, 16\), but its features of images of 64 x 64 pixels have \(4, 8\)",
        ),
        ({"backbone": Darknet53(strides=(64,)), "size": 32}, r"Darknet53 has strides \(64,\), .* 32 x 32 pixels have \(32,\)"),
        ({"size": 36}, r"the backbone Darknet53 makes \[\(5, 5\), \(3, 3\), \(2, 2\)\] cells .* of 36 x 36 pixels"),
    ],
    ids=str,
)
def test_parts_that_cannot_be_are_refused_in_one_line(arguments, message):
    size = arguments.pop("size", 64)
    with pytest.raises(InputError, match=message):
        model = YOLOv3(2, **{"width": 1 / 64, **arguments})
        jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, size, size, 3)), train=False))
