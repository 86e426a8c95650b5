"""The number and the initial values of a network's variables."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.foreign import Mixed, Plain
from tests.helpers.networks import NETWORKS
from yolojax.errors import InputError
from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables, count_floats, initialize
from yolojax.models.layers import ConvBN, Head, objectness_prior_bias


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


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "yolov3" else []) for name in NETWORKS])
def test_initial_values_of_our_networks_are_those_of_all_versions(name):
    model, _ = NETWORKS[name]
    rng = np.random.default_rng(3)

    def drawn(path, leaf):
        module, name = path[-2].key, path[-1].key
        if name == "kernel":
            scale = 0.01 if module == "head" else math.sqrt(2 / math.prod(leaf.shape[:-1]))
            return scale * rng.standard_normal(leaf.shape, np.float32)
        if module == "head":
            return np.asarray(objectness_prior_bias(5 + 3)(None, leaf.shape))
        return np.full(leaf.shape, name in ("scale", "var"), np.float32)

    expected = jax.tree_util.tree_map_with_path(drawn, abstract_variables(model))
    found = initialize(model, 3)
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float32 for leaf in jax.tree.leaves(found))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def own_values(model, size=(32, 32)):
    return jax.jit(lambda: model.init(jax.random.key(3), jnp.zeros((1, *size, 3))))()


def test_the_parameters_of_others_get_the_values_they_ask_for():
    found = initialize(Plain(), 3)
    assert found["batch_stats"] == {}
    jax.tree.map(np.testing.assert_array_equal, found["params"], own_values(Plain())["params"])


def test_in_a_mixed_network_only_our_layers_are_drawn_on_the_host():
    found, own = initialize(Mixed(), 3), own_values(Mixed())
    for name in ("gain", "norm", "patches"):
        jax.tree.map(np.testing.assert_array_equal, found["params"][name], own["params"][name])
    assert (found["params"]["gain"] == np.float32(0.7)).all()
    jax.tree.map(np.testing.assert_array_equal, found["batch_stats"], own["batch_stats"])
    # Their order is that of the tree: capital letters first, then "down".
    kernel = math.sqrt(2 / (9 * 8)) * np.random.default_rng(3).standard_normal((3, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(found["params"]["down"]["conv"]["kernel"], kernel)
    for head in ("head16", "head32"):
        np.testing.assert_array_equal(found["params"][head]["head"]["bias"], own["params"][head]["head"]["bias"])


class Wider(ConvBN):
    """A layer of ours that somebody has changed."""

    @nn.compact
    def __call__(self, x, *, train):
        return super().__call__(x, train=train) * self.param("gain", nn.initializers.constant(0.7), (1,)).reshape(1, 1, 1, 1)


class Several(nn.Module):
    """Another number of classes in a head than around it, a changed layer, and one that is repeated by `nn.vmap`."""

    num_classes: int = 2

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = Wider(4, 3, name="wider")(x, train=train)
        many = nn.vmap(Head, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=None, axis_size=2)
        return Head(7, 2, name="head")(x), many(1, 1, name="many")(x)


def test_changed_and_repeated_layers_of_ours_keep_their_own_initializers():
    found, own = initialize(Several(), 3), own_values(Several())
    for name in ("wider", "many"):
        jax.tree.map(np.testing.assert_array_equal, found["params"][name], own["params"][name])
    np.testing.assert_array_equal(found["params"]["head"]["head"]["bias"], own["params"]["head"]["head"]["bias"])


class Strides(nn.Module):
    """Takes only images whose sides are multiples of 64."""

    @nn.compact
    def __call__(self, images, *, train):
        deep = nn.Conv(2, (64, 64), (64, 64), padding="VALID")(images)
        return nn.Conv(2, (1, 1))(images) + deep.repeat(64, 1).repeat(64, 2)


def test_a_network_may_need_larger_images():
    with pytest.raises((TypeError, ValueError)):
        abstract_variables(Strides())
    assert count_floats(abstract_variables(Strides(), (64, 128))) == 64 * 64 * 3 * 2 + 2 + 3 * 2 + 2
    assert count_floats(initialize(Strides(), 0, (128, 64))) == 64 * 64 * 3 * 2 + 2 + 3 * 2 + 2


class Remembering(nn.Module):
    kind: str

    @nn.compact
    def __call__(self, images):
        self.variable(self.kind, "x", lambda: jnp.zeros(3))
        return self.perturb("y", self.param("w", nn.initializers.ones, (2,)))


def test_other_kinds_of_variables_are_refused():
    with pytest.raises(InputError, match="Remembering has variables of the kind cache; only params and batch_stats can be"):
        abstract_variables(Remembering("cache"))
    found = initialize(Remembering("batch_stats"), 0)
    assert found.keys() == {"params", "batch_stats"} and found["params"].keys() == {"w"}
