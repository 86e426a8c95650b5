"""Weights files to the byte, and files that are not of their network."""

import struct

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.cfgs import FACE, ZOO, random_floats, random_variables
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network, network_from_cfg
from yolojax.darknet.places import places
from yolojax.darknet.weights import Header, read_all_but_heads, read_backbone, read_weights, write_weights
from yolojax.errors import InputError
from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables, count_floats

NETWORKS = {
    "yolov3": YOLOv3(3, width=0.125),
    "spp": YOLOv3(3, spp=True, width=0.125),
    "tiny": YOLOv3Tiny(3, width=0.125),
    "zoo": build_network(parse_cfg(ZOO))[0],
}
FACE_NETWORK = build_network(parse_cfg(FACE))[0]
# 4 filters of 27 with normalization, 6 of 36, 30 of 6 with a bias.
FACE_FLOATS = 4 * (27 + 4) + 6 * (36 + 4) + 30 * (6 + 1)


def file_of(path, floats):
    path.write_bytes(struct.pack("<iiiQ", 0, 2, 5, 9) + np.asarray(floats, "<f4").tobytes())
    return path


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "spp" else []) for name in NETWORKS])
def test_random_weights_round_trip_to_the_byte(name, tmp_path):
    model = NETWORKS[name]
    count = count_floats(abstract_variables(model))
    floats = np.random.default_rng(0).integers(0, 2**32, count, np.uint32)  # NaN and infinities among them
    for version, header in ((1, struct.pack("<iiiI", 0, 1, 0, 7)), (2, struct.pack("<iiiQ", 0, 2, 5, 2**40))):
        path = tmp_path / f"{version}.weights"
        path.write_bytes(header + floats.astype("<u4").tobytes())
        read = read_weights(path, model)
        assert read.header.seen == (7, 2**40)[version - 1] and len(read.loaded) == len(places(model))
        assert jax.tree.map(lambda leaf: leaf.shape, read.variables) == jax.tree.map(
            lambda leaf: leaf.shape, abstract_variables(model)
        )
        write_weights(tmp_path / "again", model, read.variables, read.header)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["yolo-fastest-1.1", "yoloface-50k", "yoloface-100k"])
def test_real_weights_round_trip_to_the_byte(name, real_data, tmp_path):
    folder = real_data / "darknet/weights"
    model, _ = network_from_cfg(folder / f"{name}.cfg")
    variables, header, _ = read_weights(folder / f"{name}.weights", model)
    write_weights(tmp_path / "again", model, variables, header)
    assert (tmp_path / "again").read_bytes() == (folder / f"{name}.weights").read_bytes()
    # Were the floats taken in another order, these would not all be variances (one is -7e-44).
    assert all(leaf.min() > -1e-9 for path, leaf in jax.tree_util.tree_leaves_with_path(variables) if path[-1].key == "var")


def test_where_each_float_goes(tmp_path):
    floats = np.arange(FACE_FLOATS)
    variables = read_weights(file_of(tmp_path / "a", floats), FACE_NETWORK).variables
    first, head = variables["params"]["conv000"], variables["params"]["conv003"]["head"]
    assert first["bn"]["bias"].tolist() == [0, 1, 2, 3] and first["bn"]["scale"].tolist() == [4, 5, 6, 7]
    assert variables["batch_stats"]["conv000"]["bn"]["mean"].tolist() == [8, 9, 10, 11]
    assert variables["batch_stats"]["conv000"]["bn"]["var"].tolist() == [12, 13, 14, 15]
    for row, column, channel, out in np.ndindex(3, 3, 3, 4):
        assert first["conv"]["kernel"][row, column, channel, out] == 16 + ((out * 3 + channel) * 3 + row) * 3 + column
    start = FACE_FLOATS - 30 * 7
    assert head["bias"].tolist() == list(range(start, start + 30))
    assert head["kernel"][0, 0, :, 1].tolist() == list(range(start + 36, start + 42))


@settings(deadline=None, max_examples=30)
@given(missing=st.integers(1, FACE_FLOATS))
def test_a_short_file_says_at_which_layer_it_ends(missing, tmp_path_factory):
    path = tmp_path_factory.mktemp("short") / "a"
    found = FACE_FLOATS - missing
    with pytest.raises(InputError) as caught:
        read_weights(file_of(path, np.zeros(found)), FACE_NETWORK)
    layer, needed, left = (0, 124, found) if found < 124 else (2, 240, found - 124) if found < 364 else (3, 210, found - 364)
    assert f"{path}: too short: layer {layer} ([convolutional]) needs {needed} floats, and {left} are left of {found}" in str(
        caught.value
    )
    assert f"the network has {FACE_FLOATS}" in str(caught.value)


def test_what_else_a_file_can_be(tmp_path):
    def refused(data):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(InputError) as caught:
            read_weights(tmp_path / "a", FACE_NETWORK)
        return str(caught.value)

    header = struct.pack("<iiiQ", 0, 2, 5, 0)
    assert "a: 0 bytes are too few for a weights file" in refused(b"")
    assert "the 3 bytes after its header of 20 bytes are not a whole number of floats" in refused(header + b"abc")
    assert "cut short" in refused(header[:16])
    floats = np.zeros(FACE_FLOATS + 5)
    message = refused(header + floats.astype("<f4").tobytes())
    assert "too long: after layer 3 ([convolutional]), the last layer, 5 floats follow: 574 were expected and 579" in message
    assert "classes" not in message
    other = build_network(parse_cfg(FACE.replace("classes=10", "classes=3").replace("filters=30", "filters=16")))[0]
    floats = np.zeros(count_floats(abstract_variables(other)))
    assert refused(header + floats.astype("<f4").tobytes()).endswith(
        "the file fits this network for 3 classes, but here it is for 10"
    )
    with pytest.raises(InputError, match=r"nowhere: the weights cannot be read: No such file"):
        read_weights(tmp_path / "nowhere", FACE_NETWORK)
    with pytest.raises(InputError, match=r"the weights cannot be written: No such file"):
        write_weights(tmp_path / "no" / "where", FACE_NETWORK, random_variables(abstract_variables(FACE_NETWORK)))


def test_our_network_of_another_number_of_classes_is_named(tmp_path):
    tiny = NETWORKS["tiny"]
    other = YOLOv3Tiny(7, width=0.125)
    path = file_of(tmp_path / "a", random_floats(count_floats(abstract_variables(other))))
    with pytest.raises(InputError, match=r"\(head16\), the last layer, .* follow: .* for 7 classes, but here it is for 3"):
        read_weights(path, tiny)


@pytest.mark.parametrize("name", ["tiny", "zoo"])
def test_all_but_the_heads_of_another_number_of_classes(name, tmp_path):
    if name == "tiny":
        here, there = NETWORKS["tiny"], YOLOv3Tiny(7, width=0.125)
    else:
        text = ZOO.replace("classes=2", "classes=7").replace("filters=21", "filters=36").replace("filters=14", "filters=24")
        here, there = NETWORKS["zoo"], build_network(parse_cfg(text))[0]
    theirs = random_variables(abstract_variables(there), 1)
    ours = random_variables(abstract_variables(here), 2)
    write_weights(tmp_path / "a", there, theirs)
    read = read_all_but_heads(tmp_path / "a", here, ours)
    heads = ["/".join(place.path) for place in places(here) if place.conv == "head"]
    assert sorted([*read.loaded, *heads]) == sorted("/".join(place.path) for place in places(here))
    for module in abstract_variables(here)["params"]:
        expected = ours if module in heads else theirs
        np.testing.assert_equal(read.variables["params"][module], expected["params"][module])
    with pytest.raises(InputError, match="too short"):
        write_weights(tmp_path / "b", FACE_NETWORK, random_variables(abstract_variables(FACE_NETWORK)))
        read_all_but_heads(tmp_path / "b", here, ours)


def test_a_file_of_the_first_layers(tmp_path):
    model = NETWORKS["yolov3"]
    everything = places(model)
    backbone = sum(place.floats for place in everything[:52])
    assert sum(place.floats for place in places(YOLOv3(80))[:52]) == (162_482_580 - 20) // 4  # darknet53.conv.74
    floats = random_floats(backbone)
    ours = random_variables(abstract_variables(model))
    read = read_backbone(file_of(tmp_path / "a", floats), model, ours)
    assert len(read.loaded) == 52 and all(name.startswith("backbone/") for name in read.loaded)
    np.testing.assert_equal(read.variables["params"]["head8"], ours["params"]["head8"])
    assert read.variables["params"]["backbone"]["stem"]["bn"]["bias"].tolist() == floats[:4].tolist()
    ours["params"]["head8"]["head"]["bias"][:] = 0
    assert read.variables["params"]["head8"]["head"]["bias"].all()  # a copy
    with pytest.raises(InputError, match=r"too short: convolution 52 of 75 \(backbone/stage5_block4_expand\) needs"):
        read_backbone(file_of(tmp_path / "b", floats[:-1]), model, ours)
    with pytest.raises(InputError, match=r"too short: convolution 53 of 75 \(neck32_conv1\) needs"):
        read_backbone(file_of(tmp_path / "c", random_floats(backbone + 1)), model, ours)


def test_headers():
    assert Header(0, 1, 0, 5).layout == "<iiiI" and Header(0, 2, 0, 5).layout == Header(1, 0, 0, 5).layout == "<iiiQ"
    assert Header(1001, 2, 0, 5).layout == "<iiiI" and struct.calcsize("<iiiI") == 16 and struct.calcsize("<iiiQ") == 20
