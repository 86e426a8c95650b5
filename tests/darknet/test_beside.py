"""What is found beside a .weights file."""

import pytest

from tests.helpers.cfgs import FACE
from yolojax.darknet.beside import find_cfg, find_companions, find_names, is_partial, is_weights
from yolojax.errors import InputError


def test_files_of_weights_are_known_by_their_names():
    assert all(map(is_weights, ("a.weights", "b/yolov4.conv.137", "yolo-obj_last.weights", "x.backup")))
    assert not any(map(is_weights, ("runs/mine", "a.weights.zip", "checkpoints/12", "a.conv.x")))
    assert is_partial("darknet53.conv.74") and is_partial("a/darknet53.conv.74.weights") and not is_partial("a.weights")


@pytest.mark.parametrize("cfg", ["net.cfg", "cfg/net.cfg", "../cfg/net.cfg"])
@pytest.mark.parametrize("weights", ["net.weights", "net_last.weights", "net_4000.weights", "net.conv.15"])
def test_a_cfg_of_its_name_is_found(tmp_path, cfg, weights):
    folder = tmp_path / "a"
    (folder / "cfg").mkdir(parents=True)
    (tmp_path / "cfg").mkdir()
    for other in ("one.cfg", "two.cfg"):
        (folder / other).touch()
    assert find_cfg(folder / weights) is None
    (folder / cfg).touch()
    assert find_cfg(folder / weights).resolve() == (folder / cfg).resolve()


def test_the_only_cfg_is_found_and_the_name_comes_first(tmp_path):
    (tmp_path / "yolov3-voc.cfg").touch()
    assert find_cfg(tmp_path / "mine.weights") == tmp_path / "yolov3-voc.cfg"
    assert find_cfg(tmp_path / "darknet53.conv.74") is None  # the first layers of many networks
    (tmp_path / "mine.cfg").touch()
    assert find_cfg(tmp_path / "mine.weights") == tmp_path / "mine.cfg"


def test_names_are_found_where_there_are_as_many(tmp_path):
    weights = tmp_path / "net.weights"
    assert find_names(weights, 2) == ((), "")
    names, source = find_names(weights, 20)
    assert names[0] == "aeroplane" and source == "those of VOC, which has 20"
    (tmp_path / "b.names").write_text("cat\ndog\n")
    assert find_names(weights, 2) == (("cat", "dog"), str(tmp_path / "b.names")) and find_names(weights, 3) == ((), "")
    (tmp_path / "c.names").write_text("cow\nfox\n")
    differ = f"{tmp_path / 'b.names'} and {tmp_path / 'c.names'} differ"
    assert find_names(weights, 2) == ((), differ)  # which of the two it is, nobody knows
    (tmp_path / "c.names").write_text("Cat\ndog\n")
    assert find_names(weights, 2)[0] == ("cat", "dog")
    (tmp_path / "net.names").write_text("ant\nbee\n")
    assert find_names(weights, 2)[0] == ("ant", "bee")


def test_what_belongs_to_weights(tmp_path):
    weights = tmp_path / "face.weights"
    with pytest.raises(InputError, match=r"face\.weights: there is no cfg of its name beside it; give its cfg with --cfg"):
        find_companions(weights)
    (tmp_path / "face.cfg").write_text(FACE)
    found = find_companions(weights)
    assert found == (tmp_path / "face.cfg", (), "", "letterbox")
    assert found.about_names() == "class names: not known, so their numbers (--names)"
    (tmp_path / "face.names").write_text("".join(f"digit {number}\n" for number in range(10)))
    found = find_companions(weights)
    assert found.names[3] == "digit 3" and found.about_names() == f"class names: {tmp_path / 'face.names'}"
    (tmp_path / "other.cfg").write_text(FACE.replace("[net]\n", "[net]\nletter_box=0\n"))
    (tmp_path / "few.names").write_text("one\ntwo\n")
    assert find_companions(weights, tmp_path / "other.cfg").fit == "stretch"
    with pytest.raises(InputError, match=r"few\.names: 2 class names, but .*face\.cfg is for 10 classes"):
        find_companions(weights, names=tmp_path / "few.names")


@pytest.mark.parametrize("content", [b"caf\xe9\ndog\n", b"cat\n\ndog\n", b"cat\ncat\n", b"", b"cat\n"])
def test_names_of_the_weights_that_cannot_be_read_are_not_passed_over(tmp_path, content):
    (tmp_path / "net.names").write_bytes(content)
    (tmp_path / "voc.names").write_text("cow\nfox\n")
    with pytest.raises(InputError, match=r"net\.names"):
        find_names(tmp_path / "net_last.weights", 2)
