"""The artefact for JAX: what it finds, in this process and in one that has no yolojax, and every way to get it wrong."""

import json
import re
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest

from tests.helpers.cfgs import CSP, FACE, random_variables
from tests.test_predict import GRID, NAMES, PICTURES, Colours
from yolojax.__main__ import main
from yolojax.config import Config
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import write_weights
from yolojax.data.images import write_image
from yolojax.errors import InputError
from yolojax.export.agreement import agree
from yolojax.export.stablehlo import check, export_stablehlo
from yolojax.export.workdir import MARKS
from yolojax.models import abstract_variables
from yolojax.predict import Detector
from yolojax.runs.exported import PROGRAM, load_exported
from yolojax.runs.imported import import_weights
from yolojax.runs.workdir import Run


@pytest.fixture(scope="module")
def exported(workdir, tmp_path_factory):
    """The file of the short run."""
    path = tmp_path_factory.mktemp("stablehlo") / "digits.yolojax"
    assert main(["export", str(workdir), "--to", "stablehlo", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def artefact(exported):
    return load_exported(exported)


def detections(found, row=0):
    boxes, scores, classes, valid = (np.asarray(member)[row] for member in found)
    assert (boxes[~valid] == 0).all() and (scores[~valid] == 0).all() and (classes[~valid] == -1).all()
    return boxes[valid], scores[valid], classes[valid]


def assert_same(found, expected):
    boxes, scores, classes = expected[:3]
    assert len(scores) > 0
    np.testing.assert_array_equal(found[2], classes)
    np.testing.assert_allclose(found[1], scores, rtol=1e-4)
    np.testing.assert_allclose(found[0], boxes, atol=0.02)


def test_the_file_says_what_it_is(artefact, exported, run):
    assert MARKS["stablehlo"] in exported.read_bytes()[:64]  # by which a later export knows it
    about = artefact.about
    assert artefact.names == tuple("0123456789") and artefact.size == (64, 96)
    assert about["fit"] == "letterbox" and about["multi_label"] is False
    assert about["version"] == 1 and about["step"] == run.step and about["network"] == "yolov3_tiny"
    assert about["anchors"][1][2] == [45, 73] and about["strides"] == [16, 32]
    assert set(about["inputs"]) == {"pictures", "score_threshold", "iou_threshold"}
    assert list(about["outputs"]) == ["boxes", "scores", "classes", "valid"]
    assert about["platforms"] == ["cpu", "cuda", "tpu"] and about["jax"] == jax.__version__


@pytest.mark.parametrize("thresholds", [(0.005, 0.45), (0.007, 0.1)])
def test_it_finds_what_the_detector_finds(artefact, workdir, pictures, thresholds):
    found = artefact(pictures, *thresholds)
    assert [member.shape for member in found] == [(4, 100, 4), (4, 100), (4, 100), (4, 100)]
    assert [str(member.dtype) for member in found] == ["float32", "float32", "int32", "bool"]
    for row, expected in enumerate(Detector.from_workdir(workdir)(list(pictures), *thresholds)):
        assert_same(detections(found, row), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("fit", "text"), [("letterbox", CSP), ("stretch", FACE)])
def test_a_network_of_darknet_finds_what_its_workdir_finds(fit, text, tmp_path, capsys):
    model, _ = build_network(parse_cfg(text))
    (tmp_path / "face.cfg").write_text(text)
    variables = random_variables(abstract_variables(model))
    for layer in variables["params"].values():
        if "head" in layer:
            layer["head"]["kernel"] *= 0.2
    write_weights(tmp_path / "face.weights", model, variables)
    import_weights(tmp_path / "face.weights", tmp_path / "face.cfg", tmp_path / "run", fit=fit)
    rng = np.random.default_rng(0)
    pictures = {sides: rng.integers(0, 256, (2, *sides, 3), np.uint8) for sides in ((20, 45), (60, 31), (32, 32))}
    write_image(tmp_path / "0.png", pictures[20, 45][0])
    out = tmp_path / "face.yolojax"
    arguments = ["export", tmp_path / "run", "--to", "stablehlo", "--out", out, "--pictures", tmp_path / "0.png"]
    assert main(list(map(str, arguments))) == 0
    artefact = load_exported(out)
    assert artefact.about["fit"] == f"darknet_{fit}" and artefact.about["multi_label"] is True
    assert artefact.about["squared_sizes"] is (text is CSP) and artefact.about["distance_power"] == model.distance_power
    detector = Detector.from_workdir(tmp_path / "run")
    for images in pictures.values():
        found = artefact(images, 0.4, 0.45)
        for row, expected in enumerate(detector(list(images), 0.4, 0.45)):
            assert len(expected.scores) > 5 and len(set(expected.classes)) > 1
            assert agree(detections(found, row), expected[:3], 60, cut_short=len(expected.scores) == 100)


def colour_run():
    config = Config()
    config.data.class_names = NAMES
    return Run(config, Colours(), GRID, {}, 0)


@pytest.mark.slow  # tests/export/test_detector.py gives a program pictures of several sizes
def test_pictures_of_any_size_are_letterboxed_in_the_program(tmp_path):
    path = tmp_path / "colours"
    export_stablehlo(colour_run(), path, [PICTURES["square"][0]])
    artefact = load_exported(path)
    for name, (image, expected) in PICTURES.items():
        boxes, scores, classes = detections(artefact(np.stack([image, image]), 0.5), row=1)
        found = sorted((*np.round(box, 3).tolist(), class_id) for box, class_id in zip(boxes, classes, strict=True))
        wanted = sorted((*np.round(np.float32(box), 3).tolist(), class_id) for box, class_id in expected)
        np.testing.assert_allclose(np.reshape(found, (-1, 5)), np.reshape(wanted, (-1, 5)), atol=2e-3, err_msg=name)
        assert (scores > 0.9).all()


BLOCKER = """
import sys
class Blocker:
    blocked = {"yolojax", "flax", "optax", "orbax", "cv2", "ml_collections", "absl", "sklearn", "pycocotools", "onnx"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"{name} is blocked")
sys.meta_path.insert(0, Blocker())
try:
    import yolojax
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("yolojax can be imported")
"""
REPORT = """
import json
print(json.dumps([member.tolist() for member in (boxes[valid], scores[valid], classes[valid])]))
assert "yolojax" not in sys.modules and "flax" not in sys.modules
"""


def test_the_lines_of_the_documentation_run_it_without_yolojax(repository, exported, workdir, pictures, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (repository / "docs/export.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "deserialize" in block]
    assert block.count("\n") <= 12
    (tmp_path / "digits.yolojax").symlink_to(exported)
    np.save(tmp_path / "pictures.npy", pictures[:1])
    block = block.replace("np.float32(0.3)", "np.float32(0.005)")
    command = [sys.executable, "-W", "error", "-c", BLOCKER + block + REPORT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = [np.array(member) for member in json.loads(done.stdout.splitlines()[-1])]
    assert_same(found, Detector.from_workdir(workdir)([pictures[0]], 0.005, 0.45)[0])


def rewrite(source, target, **changes):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "about.json":
                data = json.dumps(json.loads(data) | changes)
            new.writestr(name, data)
    return target


def test_other_files_are_refused(exported, tmp_path):
    text, cut, bare = (tmp_path / name for name in ("text", "cut", "bare"))
    text.write_text("no archive")
    cut.write_bytes(exported.read_bytes()[:-500])
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("about.json", "{}")
    damaged = bytearray(exported.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "damaged").write_bytes(damaged)
    for path in (text, cut, bare, tmp_path, tmp_path / "damaged"):
        with pytest.raises(InputError, match="not a detector exported by yolojax, or damaged"):
            load_exported(path)
    with pytest.raises(InputError, match="there is no such file"):
        load_exported(tmp_path / "absent")
    with pytest.raises(InputError, match="of version 2, but this yolojax reads version 1"):
        load_exported(rewrite(exported, tmp_path / "newer", version=2))
    assert load_exported(rewrite(exported, tmp_path / "same", version=1)).size == (64, 96)


def test_other_pictures_are_refused(artefact):
    for pictures in (
        np.zeros((64, 96, 3), np.uint8),
        np.zeros((1, 64, 96, 4), np.uint8),
        np.zeros((0, 64, 96, 3), np.uint8),
        np.zeros((1, 64, 96, 3), np.float32),
    ):
        with pytest.raises(InputError, match=r"images must be RGB \(B, h, w, 3\) of uint8"):
            artefact(pictures)


def test_the_check_finds_a_network_that_differs_a_little(artefact, run, pictures):
    other = jax.tree.map(np.asarray, run.variables)
    other["params"]["head32"]["head"]["bias"] = other["params"]["head32"]["head"]["bias"] + np.float32(0.05)
    with pytest.raises(InputError, match=r"differ on picture 1 \(letterboxed\), .*nothing was written"):
        check(artefact, run._replace(variables=other), list(pictures))


def test_a_damaged_program_in_a_whole_archive(exported, tmp_path):
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(tmp_path / "bad", "w") as new:
        new.writestr("about.json", old.read("about.json"))
        new.writestr(PROGRAM, b"no program")
    with pytest.raises(InputError, match="it is not as it was written"):
        load_exported(tmp_path / "bad")
