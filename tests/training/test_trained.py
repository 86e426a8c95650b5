"""Networks that training can start from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.face_files import write_face
from tests.helpers.saved_run import save_run
from tests.helpers.tiny_config import get_config
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.edit import with_classes
from yolojax.darknet.network import build_network, network_from_cfg
from yolojax.darknet.weights import read_weights
from yolojax.errors import InputError
from yolojax.models import YOLOv3Tiny, initialize
from yolojax.training.trained import read_trained, run_of


def test_a_file_for_other_classes_is_read_with_its_heads_or_without(tmp_path):
    cfg, weights = write_face(tmp_path)
    whole, _ = network_from_cfg(cfg)
    model, _ = build_network(parse_cfg(with_classes(cfg.read_text(), 3)))
    fresh = initialize(model, 0, (32, 32))
    trained = read_trained(weights, fresh, model, with_heads=True)
    assert (trained.classes, trained.names, list(trained.layers)) == (10, (), ["conv000", "conv002", "conv003"])
    written = read_weights(weights, whole).variables
    (kernel,) = (leaf for path, leaf in trained.layers["conv003"].items() if path[-1].key == "kernel")
    np.testing.assert_array_equal(kernel, written["params"]["conv003"]["head"]["kernel"])
    without = read_trained(weights, fresh, model, with_heads=False)
    assert without.classes is None and list(without.layers) == ["conv000", "conv002"]
    # The same number of classes: the whole network, and how many there are.
    assert read_trained(weights, initialize(whole, 0, (32, 32)), whole, with_heads=True).classes == 10


def test_a_run_and_its_checkpoints(tmp_path):
    run = tmp_path / "run"
    save_run(run, get_config(), 2, jax.tree.map(jnp.asarray, initialize(YOLOv3Tiny(10, width=0.125), 3)))
    assert run_of(run) == (run, "best") and run_of(run / "checkpoints/2") == (run, "2")
    trained = read_trained(run, {}, YOLOv3Tiny(10), with_heads=True)
    assert trained.origin == f"{run}, step 2" and trained.classes == 10 and trained.names == tuple("0123456789")
    with pytest.raises(
        InputError,
        match=r"^--weights \(config\.init_from\): .*checkpoints is not a workdir, checkpoint or \.weights file: give",
    ):
        run_of(run / "checkpoints")
