"""Exported files are read back, and others are refused. The programs inside are tested in tests/export/test_stablehlo.py."""

import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.inference import Recipe
from yolojax.predict import Detector
from yolojax.runs.exported import ABOUT, KIND, PROGRAM, VERSION, ExportedBackend, checksum, load_exported

RECIPE = Recipe(AnchorGrid((32, 64)), ("cat", "dog"))
ABOUT_VALUES = {"format": KIND, "version": VERSION, **RECIPE.to_dict(), "jax": jax.__version__}


def detect(images, score_threshold, iou_threshold):
    """Two boxes in every picture, and a slot without one."""
    height, width = (jnp.asarray(side, jnp.float32) for side in images.shape[1:3])
    boxes = jnp.array([[0, 0, width / 2, height], [-5, -5, width + 5, height / 2], [0, 0, 0, 0]], jnp.float32)
    scores = jnp.array([0.9, 0.8, 0], jnp.float32) + 0 * (score_threshold + iou_threshold)
    members = boxes, scores, jnp.array([1, 0, -1], jnp.int32), jnp.array([True, True, False])
    return tuple(jnp.broadcast_to(member, (images.shape[0], *member.shape)) for member in members)


@pytest.fixture(scope="module")
def program():
    batch, height, width = export.symbolic_shape("b, h, w")
    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    shapes = jax.ShapeDtypeStruct((batch, height, width, 3), jnp.uint8), scalar, scalar
    return export.export(jax.jit(detect))(*shapes).serialize()


def write(path, program, compression=zipfile.ZIP_STORED, **changes):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(ABOUT, json.dumps(ABOUT_VALUES | changes))
        archive.writestr(PROGRAM, bytes(program))
    return path


def test_the_recipe_and_the_program_come_back(program, tmp_path):
    artefact = load_exported(write(tmp_path / "a", program))
    assert artefact.recipe == RECIPE and artefact.names == ("cat", "dog") and artefact.size == (32, 64)
    assert artefact.about["jax"] == jax.__version__
    boxes, scores, classes, valid = artefact(np.zeros((2, 20, 40, 3), np.uint8))
    assert boxes.shape == (2, 3, 4) and classes.tolist() == [[1, 0, -1]] * 2 and valid.tolist() == [[True, True, False]] * 2
    np.testing.assert_allclose(scores, [[0.9, 0.8, 0]] * 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, f"{KIND} of version 2, but this yolojax reads version {VERSION}; export it again"),
        ({"format": "other"}, f"other of version {VERSION}, but this yolojax reads version"),
        ({"names": []}, r"or damaged \(its names are not a list of names\)"),
        ({"names": [1]}, r"or damaged \(its names are not a list of names\)"),
        ({"size": [32]}, r"or damaged \(its size is not \(height, width\)\)"),
        ({"size": [32, True]}, r"or damaged \(its size is not \(height, width\)\)"),
        ({"fit": "crop"}, r"or damaged \(unknown fit 'crop'"),
        ({"compression": zipfile.ZIP_DEFLATED}, r"or damaged \(it was compressed\)"),
    ],
)
def test_files_that_say_something_else_are_refused(changes, message, program, tmp_path):
    path = write(tmp_path / "a", bytes(program) + bytes(100_000), **changes)
    with pytest.raises(InputError, match=message) as caught:
        load_exported(path)
    assert str(path) in str(caught.value)


def test_files_that_are_missing_and_programs_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match="absent: there is no such file"):
        load_exported(tmp_path / "absent")
    with pytest.raises(InputError, match=f"this JAX, {jax.__version__}, cannot read what {jax.__version__} wrote: "):
        load_exported(write(tmp_path / "a", b"no program"))


def found(backend, images, wanted=(True, True), **changes):
    options = {"augment": False, "class_agnostic": False, "method": "hard"} | changes
    return backend.detect(images, np.float32(0.3), np.float32(0.45), np.array(wanted), **options)


@pytest.mark.parametrize("fit", ["letterbox", "darknet_stretch"])
def test_boxes_are_in_pixels_of_each_picture_and_clipped_to_it(fit, program, tmp_path):
    backend = ExportedBackend(write(tmp_path / "a", program, fit=fit, multi_label=fit != "letterbox"))
    images = [np.zeros((height, width, 3), np.uint8) for height, width in ((32, 64), (20, 30), (32, 64))]
    for image, (boxes, scores, classes) in zip(images, found(backend, images), strict=True):
        height, width = image.shape[:2]
        assert classes.tolist() == [1, 0] and len(scores) == 2
        assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
        if image.shape[:2] == (32, 64):
            np.testing.assert_allclose(boxes, [[0, 0, 32, 32], [0, 0, 64, 16]])
    for boxes, _, classes in found(backend, images, wanted=(True, False)):
        assert classes.tolist() == [0] and boxes.shape == (1, 4)


def test_what_the_program_cannot_do_is_refused(program, tmp_path):
    backend = ExportedBackend(write(tmp_path / "a", program))
    image = np.zeros((32, 64, 3), np.uint8)
    refused = {"augment": {"augment": True}, "class_agnostic": {"class_agnostic": True}, 'method="soft"': {"method": "soft"}}
    for option, change in refused.items():
        with pytest.raises(InputError, match=f"an exported file does not support {option}; leave it out"):
            found(backend, [image], **change)
    with pytest.raises(ValueError, match="unknown suppression method 'both'"):
        found(backend, [image], method="both")
    with pytest.raises(InputError, match="a: an exported file keeps 100 detections, not 101; ask for 100 at most, or"):
        found(backend, [image], max_detections=101)
    detector = Detector.from_exported(tmp_path / "a")
    assert detector(image, max_detections=1).classes.tolist() == [1] and detector.grid == RECIPE.grid
    with pytest.raises(InputError, match="keeps 100 detections, not 200"):
        detector(image, max_detections=200)
    for attribute in ("model", "variables"):
        with pytest.raises(InputError, match=f"this detector has no {attribute}: an exported file holds one program"):
            getattr(detector, attribute)
    with pytest.raises(InputError, match="this detector has no predictions: an exported file holds one program"):
        detector.predictions(image)


def test_a_file_that_is_not_as_it_was_written_is_refused(program, tmp_path):
    whole = bytes(program)
    expected = checksum(ABOUT_VALUES, whole)
    assert load_exported(write(tmp_path / "a", whole, sha256=expected)).names == ("cat", "dog")
    swapped = whole[:200] + whole[300:400] + whole[200:300] + whole[400:]
    assert swapped != whole
    damaged = [
        (other, {}) for other in (swapped, whole[:-1], whole + b"\0", whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    ]
    changes = {"names": ["dog", "cat"]}, {"fit": "darknet_stretch"}, {"size": [64, 32]}, {"max_detections": 1}, {"more": 0}
    for other, change in [*damaged, *((whole, change) for change in changes)]:
        with pytest.raises(InputError, match=r"damaged \(it is not as it was written\)"):
            load_exported(write(tmp_path / "a", other, sha256=expected, **change))


def test_names_and_sizes_that_no_program_has_are_refused_without_a_checksum_too(program, tmp_path):
    backend = ExportedBackend(write(tmp_path / "a", program, names=["cat"]))
    with pytest.raises(InputError, match="a: the program finds class 1, which has no name"):
        found(backend, [np.zeros((32, 64, 3), np.uint8)], wanted=[True])
    for size in ([32 * 10**9, 32], [10**31 * 32, 64]):
        with pytest.raises(InputError, match="its size is more than 67,108,864 pixels"):
            load_exported(write(tmp_path / "a", program, size=size))
