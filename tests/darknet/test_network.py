"""Networks of cfgs, against a literal reading of the same files and against our own networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.cfgs import CSP, FACE, ZOO, random_floats, random_variables
from tests.oracle import darknet as oracle
from yolojax.config import ModelConfig
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.describe import cfg_text
from yolojax.darknet.network import build_network, grid_from_config, model_from_config, network_from_cfg
from yolojax.darknet.places import places
from yolojax.darknet.weights import Header, read_weights, write_weights
from yolojax.data.darknet_fit import FITS
from yolojax.decode import decode
from yolojax.errors import InputError
from yolojax.models import abstract_variables, build_grid, build_model, count_floats, initialize
from yolojax.predict import Detector

# Floats, strides, and the bytes of the published weights files, all of which have the header of 20 bytes.
PUBLISHED = {
    "yolov3": (62_001_757, (8, 16, 32), 248_007_048),
    "yolov3-spp": (63_052_381, (8, 16, 32), 252_209_544),
    "yolov3-tiny": (8_858_734, (16, 32), 35_434_956),
    "yolov3-voc": (61_678_657, (8, 16, 32), 246_714_648),
    "yolov4": (64_429_405, (8, 16, 32), 257_717_640),
    "yolov4-tiny": (6_062_814, (16, 32), 24_251_276),
}


def apply(model, variables, images):
    """The raw heads, by one program."""
    return jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in ("yolov3-voc", "yolov4") else []) for name in PUBLISHED]
)
def test_published_cfgs_have_the_floats_of_their_weights(name, real_data):
    floats, strides, size = PUBLISHED[name]
    model, grid = network_from_cfg(real_data / f"darknet/cfg/{name}.cfg")
    assert grid.strides == strides and model.num_classes == (20 if name == "yolov3-voc" else 80)
    assert count_floats(abstract_variables(model)) == sum(place.floats for place in places(model)) == floats
    assert 20 + 4 * floats == size
    assert grid.xy_scales == {"yolov4": (1.2, 1.1, 1.05), "yolov4-tiny": (1.05, 1.05)}.get(name, ())


def test_every_section_against_a_literal_reading_of_the_files(tmp_path):
    model, grid = build_network(parse_cfg(ZOO))
    floats = random_floats(count_floats(abstract_variables(model)))
    (tmp_path / "zoo.weights").write_bytes(bytes(20)[:4] + b"\2\0\0\0" + bytes(12) + floats.tobytes())
    variables = read_weights(tmp_path / "zoo.weights", model).variables
    images = np.random.default_rng(1).random((2, 40, 56, 3), np.float32)
    raw = apply(model, variables, images)

    assert grid.size == (40, 56) and grid.strides == (4, 8)
    assert [head.shape for head in raw] == [(2, 10, 14, 3, 7), (2, 5, 7, 3, 7)]
    for picture, image in enumerate(images):
        outputs, used = oracle.run(ZOO, floats, image.transpose(2, 0, 1))
        assert used == len(floats)
        coarse = outputs[16].reshape(3, 7, 5, 7).transpose(2, 3, 0, 1)
        np.testing.assert_allclose(raw[1][picture], coarse, rtol=1e-4, atol=1e-4)
        fine = outputs[-1].reshape(2, 7, 10, 14).transpose(2, 3, 0, 1)
        np.testing.assert_allclose(raw[0][picture][:, :, :2], fine, rtol=1e-4, atol=1e-4)
    assert grid.anchors == (((4, 6), (7, 5), (1, 1)), ((20, 30.5), (4, 6), (7, 5)))
    assert np.all(raw[0][..., 2, 4] == -1e4) and grid.xy_scales == (1, 1.2)


def test_the_slots_that_fill_up_a_head_score_nothing_and_the_sigmoid_is_stretched():
    model, grid = build_network(parse_cfg(ZOO))
    raw = jax.eval_shape(lambda v: model.apply(v, jnp.zeros((1, 40, 56, 3)), train=False), abstract_variables(model))
    raw = [np.zeros(head.shape, np.float32) for head in raw]
    raw[1][0, 1, 2, 0, :2] = 2, -3
    raw[0][..., 2, 4] = -1e4
    found = decode(tuple(raw), grid)
    assert np.all(jax.nn.sigmoid(found.objectness_logits[0, : 10 * 14 * 3].reshape(-1, 3)[:, 2]) == 0)
    x, y = (1.2 / (1 + np.exp(-np.array([2.0, -3.0])))) - 0.1
    slot = 10 * 14 * 3 + (1 * 7 + 2) * 3
    np.testing.assert_allclose(found.boxes[0, slot], [(2 + x) * 8, (1 + y) * 8, 20, 30.5], rtol=1e-5)


def test_squared_sizes_and_dilation_against_a_literal_reading(tmp_path):
    model, grid = build_network(parse_cfg(CSP))
    floats = np.random.default_rng(2).normal(0.3, 0.5, count_floats(abstract_variables(model))).astype("<f4")
    for first in (24, 272):  # variances of 8 filters
        floats[first : first + 8] = np.abs(floats[first : first + 8]) + 0.5
    (tmp_path / "csp.weights").write_bytes(bytes(20)[:4] + b"\2\0\0\0" + bytes(12) + floats.tobytes())
    variables = read_weights(tmp_path / "csp.weights", model).variables
    assert variables["batch_stats"]["conv001"]["bn"]["var"].min() >= 0.5
    image = np.random.default_rng(1).random((1, 32, 48, 3), np.float32)
    found = decode(apply(model, variables, image), grid)
    outputs, used = oracle.run(CSP, floats, image[0].transpose(2, 0, 1))
    expected = oracle.new_coords(outputs[2], CSP, (32, 48))
    assert used == len(floats) and 0.1 < outputs[2].std()
    np.testing.assert_allclose(found.boxes[0], expected[:, :4], rtol=1e-3, atol=1e-3)
    scores = jax.nn.sigmoid(found.objectness_logits)[..., None] * jax.nn.sigmoid(found.class_logits)
    np.testing.assert_allclose(scores[0], expected[:, 4:], rtol=1e-3, atol=1e-5)
    assert model.distance_power == 0.7 and build_network(parse_cfg(FACE))[0].distance_power is None


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_suppression_by_distances_is_in_shares_of_the_picture(fit, tmp_path):
    model, grid = build_network(parse_cfg(CSP))
    variables = random_variables(abstract_variables(model), 3)
    (tmp_path / "csp.cfg").write_text(CSP)
    write_weights(tmp_path / "csp.weights", model, variables)
    picture = np.random.default_rng(0).integers(0, 256, (20, 50, 3), np.uint8)
    fitted, transform = FITS[f"darknet_{fit}"](picture, grid.size)
    predictions = decode(apply(model, variables, fitted[None]), grid)
    scores = jax.nn.sigmoid(predictions.objectness_logits)[..., None] * jax.nn.sigmoid(predictions.class_logits)
    scores, boxes = np.asarray(scores[0]), np.asarray(predictions.boxes[0], np.float64)
    shares = (boxes - [transform.left, transform.top, 0, 0]) / (np.tile(transform.scale, 2) * [50, 20, 50, 20])
    threshold = np.sort(scores.ravel())[-60]
    expected, plain = [], []
    for of_class in scores.T:
        best = np.flatnonzero(of_class > threshold)
        left = oracle.diou_nms(shares[best], of_class[best], 0.2, 0.7)
        expected += [of_class[best[i]] for i in left if on_picture(shares[best[i]])]
        plain += oracle.diou_nms(shares[best], of_class[best], 0.2, np.inf)
    found = Detector.from_darknet(tmp_path / "csp.cfg", tmp_path / "csp.weights", fit=fit)(picture, threshold, 0.2)
    np.testing.assert_allclose(found.scores, sorted(expected, reverse=True), rtol=1e-4)
    assert 5 < len(plain) < len(expected)


def on_picture(box):
    """Whether a box x, y, w, h, in shares of the picture, has a part in it."""
    return (box[:2] - box[2:] / 2 < 1).all() and (box[:2] + box[2:] / 2 > 0).all()


@pytest.mark.parametrize(
    "name", [pytest.param("yolov3", marks=pytest.mark.slow), pytest.param("yolov3_spp", marks=pytest.mark.slow), "yolov3_tiny"]
)
def test_our_networks_and_those_of_their_cfgs_give_the_same(name, tmp_path):
    config = ModelConfig(name=name, num_classes=3, width=0.125)
    ours, theirs = build_model(config), build_network(parse_cfg(cfg_text(config, (64, 96))))[0]
    variables = random_variables(abstract_variables(ours))
    write_weights(tmp_path / "ours.weights", ours, variables, Header(seen=7))
    of_cfg = read_weights(tmp_path / "ours.weights", theirs)
    write_weights(tmp_path / "theirs.weights", theirs, of_cfg.variables, of_cfg.header)
    assert (tmp_path / "ours.weights").read_bytes() == (tmp_path / "theirs.weights").read_bytes()
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    with jax.enable_x64(True):  # in float32 they differ by rounding, which near zero is not small
        raw = jax.device_get(apply(ours.clone(dtype=jnp.float64), variables, images))
        again = jax.device_get(apply(theirs.clone(dtype=jnp.float64), of_cfg.variables, images))
    for one, two in zip(raw, again, strict=True):
        assert np.std(one) > 0
        assert one.dtype == two.dtype == np.float64
        np.testing.assert_allclose(one, two, rtol=1e-4)
    assert build_network(parse_cfg(cfg_text(config, (64, 96))))[1] == build_grid(config, (64, 96))


def test_training_draws_dropout_and_gives_a_gradient_to_every_parameter():
    model, _ = build_network(parse_cfg(FACE))
    variables = random_variables(abstract_variables(model))
    images = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)

    def objective(params, key):
        raw, _ = model.apply(
            {**variables, "params": params}, images, train=True, mutable=["batch_stats"], rngs={"dropout": key}
        )
        return sum((head**2).mean() for head in raw)

    gradient = jax.jit(jax.value_and_grad(objective))
    value, gradients = gradient(variables["params"], jax.random.key(0))
    other, _ = gradient(variables["params"], jax.random.key(1))
    assert value != other
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert jnp.isfinite(leaf).all() and jnp.abs(leaf).max() > 0, jax.tree_util.keystr(path)


def test_initial_values_of_a_cfg_are_those_of_our_networks():
    model, _ = build_network(parse_cfg(FACE))
    head = initialize(model, 0)["params"]["conv003"]["head"]
    np.testing.assert_allclose(head["bias"].reshape(2, 15)[:, 4], np.log(0.01 / 0.99), rtol=1e-5)
    assert np.count_nonzero(head["bias"]) == 2 and 0.005 < head["kernel"].std() < 0.02


def test_another_size_of_the_same_cfg():
    model, grid = build_network(parse_cfg(FACE), (64, 48))
    assert grid.size == (64, 48) and grid.shapes == ((16, 12),)
    raw = model.apply(random_variables(abstract_variables(model)), np.zeros((1, 64, 48, 3), np.uint8), train=False)
    assert raw[0].shape == (1, 16, 12, 2, 15)
    with pytest.raises(InputError, match=r"\[yolo\] its 16 x 12 cells do not divide the input of 62 x 48 into squares"):
        build_network(parse_cfg(FACE), (62, 48))


def test_a_configuration_with_a_cfg_gives_its_network_and_grid():
    config = ModelConfig(name="darknet", num_classes=10, cfg=FACE, dtype="bfloat16", batch_norm_momentum=0.9)
    model = model_from_config(config)
    assert model == build_network(parse_cfg(FACE), dtype=jnp.dtype("bfloat16"), momentum=0.9)[0]
    assert hash(model) == hash(model_from_config(config)) and model == build_model(config)
    assert grid_from_config(config, (64, 32)) == build_network(parse_cfg(FACE), (64, 32))[1] == build_grid(config, (64, 32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cfg": ""}, "config.model.name is darknet, but config.model.cfg is not set; python -m yolojax import writes both"),
        (
            {"cfg": "nets/a.cfg"},
            "config.model.cfg is 'nets/a.cfg', but it holds the text of a cfg; .* train --cfg FILE reads a file",
        ),
        ({"num_classes": 3}, "config.model.cfg is for 10 classes, but config.model.num_classes or the data has 3"),
        ({"cfg": FACE.replace("leaky", "plse")}, r"config.model.cfg:11: \[convolutional\] activation=plse"),
    ],
)
def test_configurations_whose_cfg_is_refused(change, message):
    config = ModelConfig(**{"name": "darknet", "num_classes": 10, "cfg": FACE, **change})
    with pytest.raises(InputError, match=message):
        model_from_config(config)
    if "num_classes" not in change:
        with pytest.raises(InputError, match=message):
            grid_from_config(config, (32, 32))
    else:
        assert grid_from_config(config, (32, 32)).size == (32, 32)
