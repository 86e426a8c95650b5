"""The detector of an exported file is that of the run."""

import concurrent.futures
import dataclasses
import functools

import numpy as np
import pytest

from tests.data.test_video import make_video
from yolojax.data.images import write_image
from yolojax.errors import InputError
from yolojax.export.agreement import agree
from yolojax.export.stablehlo import export_stablehlo
from yolojax.predict import Detection, Detector

# Of test_stablehlo.py one is that of a darknet_stretch.
FITS = ("letterbox", *(pytest.param(fit, marks=pytest.mark.slow) for fit in ("darknet_letterbox", "darknet_stretch")))


@pytest.fixture(scope="module")
def detectors(run, pictures, tmp_path_factory):
    """By fit, the detector of the exported file and that of the run."""

    @functools.cache
    def pair(fit):
        config = dataclasses.replace(run.config, data=dataclasses.replace(run.config.data, fit=fit))
        path = tmp_path_factory.mktemp(fit) / "digits.yolojax"
        export_stablehlo(run._replace(config=config), path, list(pictures))
        return Detector.from_exported(path), Detector.from_run(run._replace(config=config))

    return pair


def assert_same(found, expected, image, names):
    assert isinstance(found, Detection) and found.names == names
    assert [member.dtype for member in found[:3]] == [member.dtype for member in expected[:3]]
    assert len(found.scores) > 2 and agree(found[:3], expected[:3], max(image.shape), cut_short=len(found.scores) == 100)


@pytest.mark.parametrize("fit", FITS)
def test_pictures_of_several_sizes(fit, detectors, pictures, tmp_path):
    ours, theirs = detectors(fit)
    assert ours.size == theirs.size and ours.names == theirs.names and ours.recipe.fit == fit
    images = [*pictures[:2], pictures[0][:40, :50], pictures[1].repeat(2, 0), pictures[2][:40, 10:60]]
    images *= 2 if fit == "letterbox" else 1  # more than a batch
    for image, found, expected in zip(images, ours(images, 0.005), theirs(images, 0.005), strict=True):
        assert_same(found, expected, image, theirs.names)
    write_image(tmp_path / "0.png", images[2])
    assert_same(ours(tmp_path / "0.png", 0.005, 0.2), theirs(images[2], 0.005, 0.2), images[2], theirs.names)
    assert ours([]) == []


def test_classes_are_picked_and_other_options_refused(detectors, pictures):
    ours, theirs = detectors("letterbox")
    everything = theirs(pictures[0], 0.005)
    name = theirs.names[everything.classes[0]]
    found = ours(pictures[0], 0.005, classes=[name])
    of_class = everything.classes == everything.classes[0]
    assert 0 < of_class.sum() < len(of_class) and (found.classes == everything.classes[0]).all()
    np.testing.assert_allclose(found.boxes, everything.boxes[of_class], atol=0.1)
    with pytest.raises(InputError, match="no class 'eleven'"):
        ours(pictures[0], classes=["eleven"])
    for options in ({"augment": True}, {"class_agnostic": True}, {"method": "soft"}):
        with pytest.raises(InputError, match=f"digits.yolojax: an exported file does not support {next(iter(options))}"):
            ours(pictures[0], **options)
    with pytest.raises(ValueError, match="unknown suppression method 'other'"):
        ours(pictures[0], method="other")
    with pytest.raises(InputError, match=r"images\[0\] must be an RGB array"):
        ours(np.zeros((4, 4), np.uint8))


def test_threads_may_share_it(detectors, pictures):
    ours, theirs = detectors("letterbox")
    images = [pictures[i % 4][:, : 60 + i % 3] for i in range(9)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda image: ours(image, 0.005), images))
    for image, one in zip(images, found, strict=True):
        assert_same(one, theirs(image, 0.005), image, theirs.names)


def test_a_video(detectors, pictures, tmp_path):
    ours, theirs = detectors("letterbox")
    path = make_video(tmp_path / "film.avi", [*pictures, pictures[0]])
    pairs = zip(ours.predict_video(path, 0.001), theirs.predict_video(path, 0.001), strict=True)
    for number, ((index, frame, found), (_, same, expected)) in enumerate(pairs):
        assert index == number and np.array_equal(frame, same) and len(expected.scores)
        assert agree(found[:3], expected[:3], max(frame.shape), cut_short=len(found.scores) == 100)
    assert number == 4


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        Detector.from_exported(tmp_path / "none")
