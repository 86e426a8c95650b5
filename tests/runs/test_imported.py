"""Darknet's files become workdirs that the programs take."""

import json

import jax
import numpy as np
import pytest

from tests.helpers.cfgs import CSP, FACE, random_variables
from tests.helpers.face_files import write_face
from tests.helpers.tiny_config import get_config
from tests.helpers.trees import assert_equal
from yolojax.__main__ import main
from yolojax.config import ModelConfig, checked
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import read_weights, write_weights
from yolojax.data.augment import AugmentConfig
from yolojax.data.images import write_image
from yolojax.errors import InputError
from yolojax.evaluation.workdir import evaluate_workdir
from yolojax.export.workdir import export_workdir
from yolojax.models import abstract_variables
from yolojax.predict import Detector
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.imported import import_weights
from yolojax.runs.workdir import load_run, read_config
from yolojax.training.loop import train_and_evaluate


@pytest.fixture
def face(tmp_path):
    """The paths of a network that is none of ours: cfg, weights."""
    return write_face(tmp_path)


def test_any_other_cfg_is_imported_whole_and_exported_as_it_was(face, tmp_path):
    cfg, weights = face
    config = import_weights(weights, cfg, tmp_path / "run")
    assert (config.model.name, config.model.num_classes, config.data.size) == ("darknet", 10, (32, 32))
    assert checked(json.loads((tmp_path / "run/config.json").read_text())) == config
    assert parse_cfg(config.model.cfg)[-1].options.keys() == {"anchors", "num", "classes"}
    write_image(tmp_path / "0.png", np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8))
    export_workdir(tmp_path / "run", "darknet", tmp_path / "out", pictures=[tmp_path / "0.png"])
    assert (tmp_path / "out/model.weights").read_bytes()[20:] == weights.read_bytes()[20:]
    images = [np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)]
    written = tmp_path / "out/model.cfg", tmp_path / "out/model.weights"
    found, same = (Detector.from_darknet(*files)(images, 0.2) for files in ((cfg, weights), written))
    assert len(found[0].scores)
    assert_equal(found[0]._replace(names=()), same[0]._replace(names=()))


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_the_workdir_finds_what_darknet_finds_in_its_own_fit(fit, face, tmp_path):
    cfg, weights = map(str, face)
    assert main(["import", weights, "--cfg", cfg, "--workdir", str(tmp_path / "run"), "--fit", fit]) == 0
    assert read_config(tmp_path / "run").data.fit == f"darknet_{fit}"
    images = [np.random.default_rng(0).integers(0, 256, (h, w, 3), np.uint8) for h, w in ((50, 40), (32, 32), (20, 70))]
    expected = Detector.from_darknet(cfg, weights, fit=fit)(images, 0.2)
    for one, two in zip(Detector.from_workdir(tmp_path / "run")(images, 0.2), expected, strict=True):
        assert len(one.scores)
        assert_equal(one, two)
    # Slots are found as several classes, and the other fit finds something else.
    boxes, counts = np.unique(expected[0].boxes, axis=0, return_counts=True)
    assert len(boxes) and counts.max() > 1
    other = Detector.from_darknet(cfg, weights, fit="stretch" if fit == "letterbox" else "letterbox")(images[0], 0.2)
    assert len(other.scores) != len(expected[0].scores) or not np.allclose(other.boxes, expected[0].boxes, atol=0.1)


def test_a_fit_that_is_none(face, tmp_path):
    with pytest.raises(InputError, match="fit must be one of letterbox, stretch, not 'crop'"):
        import_weights(face[1], face[0], tmp_path / "run", fit="crop")


@pytest.mark.slow  # tests/darknet/test_network.py and tests/test_nms.py do so without an evaluation
def test_an_evaluation_suppresses_by_distances_as_the_detector(tmp_path):
    model, _ = build_network(parse_cfg(CSP))
    (tmp_path / "csp.cfg").write_text(CSP)
    write_weights(tmp_path / "csp.weights", model, random_variables(abstract_variables(model), 3))
    import_weights(tmp_path / "csp.weights", tmp_path / "csp.cfg", tmp_path / "run")
    image = np.random.default_rng(0).integers(0, 256, (20, 60, 3), np.uint8)
    write_image(tmp_path / "0.png", image)
    (tmp_path / "list.txt").write_text("0.png 3,3,30,15,1\n")
    (tmp_path / "list.names").write_text("0\n1\n")
    evaluate_workdir(tmp_path / "run", data=tmp_path / "list.txt")
    evaluated = json.loads((tmp_path / "run/eval/val/detections.json").read_text())
    config = read_config(tmp_path / "run").eval
    found = Detector.from_workdir(tmp_path / "run")(image, config.score_threshold, config.iou_threshold)
    scores = sorted((one["score"] for one in evaluated), reverse=True)
    assert 20 < len(found.scores) <= len(scores)
    np.testing.assert_allclose(scores[:20], found.scores[:20], rtol=1e-4)


def small(config):
    """A training of a few steps that change nothing to speak of."""
    config.train.epochs = 0.25
    config.optimizer.warmup_epochs = 0.0
    config.optimizer.learning_rate = config.optimizer.end_learning_rate = 1e-12
    config.data.augment.mosaic_probability = config.data.augment.mixup_probability = 0.0
    config.data.augment.mix_off_epochs = AugmentConfig().mix_off_epochs
    config.data.digits_val = 4
    return config


@pytest.mark.slow  # training/test_pretrained.py trains such a network
def test_an_imported_network_is_evaluated_and_trained_on(face, tmp_path, capsys):
    workdir = tmp_path / "run"
    import_weights(face[1], face[0], workdir, fit="stretch")
    write_image(tmp_path / "0.png", np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    (tmp_path / "list.txt").write_text("0.png 3,3,30,30,1\n")
    (tmp_path / "list.names").write_text("".join(f"{number}\n" for number in range(10)))
    metrics = evaluate_workdir(workdir, data=tmp_path / "list.txt")
    assert metrics["images"] == 1 and metrics["step"] == 0

    config = small(get_config())
    config.model = ModelConfig()
    config.data.size = (64, 96)
    config.data.fit = "darknet_letterbox"
    train_and_evaluate(config, workdir)
    assert "darknet, 10 classes" in capsys.readouterr().out
    before = read_weights(face[1], build_network(parse_cfg(FACE))[0]).variables
    after = load_run(workdir, "last")
    assert after.step == 3 and after.config.data.size == (64, 96) and after.grid.shapes == ((16, 24),)
    for one, two in zip(jax.tree.leaves(before["params"]), jax.tree.leaves(after.variables["params"]), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    assert Checkpoints(workdir, read_only=True).steps() == [0, 3]

    # From then on it is a run like any other.
    config.seed = 1
    with pytest.raises(InputError, match=r"another configuration \(seed: 0 -> 1\)"):
        train_and_evaluate(config, workdir)


def test_another_network_in_an_imported_workdir_is_refused(face, tmp_path):
    import_weights(face[1], face[0], tmp_path / "run")
    with pytest.raises(InputError, match=r"model\.name is 'yolov3_tiny', but the network in .* has 'darknet'; leave it"):
        train_and_evaluate(get_config(), tmp_path / "run")
    config = get_config()
    config.model = ModelConfig(num_classes=7)
    with pytest.raises(InputError, match=r"config\.model\.num_classes is 7, but the network in .* has 10"):
        train_and_evaluate(config, tmp_path / "run")


def test_an_import_is_whole_or_not_there(face, tmp_path, monkeypatch):
    cfg, weights = face

    close = Checkpoints.close

    def full(checkpoints):
        close(checkpoints)
        raise InputError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "close", full)
        with pytest.raises(InputError, match="No space left"):
            import_weights(weights, cfg, tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
    (tmp_path / "new" / "run").mkdir(parents=True)
    (tmp_path / "new" / "run" / "notes.txt").write_text("mine")
    import_weights(weights, cfg, tmp_path / "new" / "run")
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == ["checkpoints", "config.json", "notes.txt"]
    assert load_run(tmp_path / "new" / "run", "last").step == 0
