"""Runs become Darknet's files."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.cfgs import random_variables
from tests.helpers.saved_run import save_run
from tests.helpers.tiny_config import get_config
from tests.helpers.trees import assert_equal
from yolojax.__main__ import main
from yolojax.darknet.describe import cfg_text
from yolojax.darknet.weights import read_weights, write_weights
from yolojax.errors import InputError
from yolojax.export import darknet as convert
from yolojax.export.agreement import agree
from yolojax.export.workdir import export_workdir
from yolojax.models import YOLOv3Tiny, abstract_variables
from yolojax.predict import Detector
from yolojax.runs.workdir import load_run, read_config


@pytest.fixture
def run(tmp_path):
    """A workdir of the tests' tiny network, as training leaves it, with random variables."""
    variables = random_variables(abstract_variables(YOLOv3Tiny(10, width=get_config().model.width)))
    save_run(tmp_path / "run", get_config(), 5, jax.tree.map(jnp.asarray, variables))
    return tmp_path / "run", variables


def test_a_run_that_is_exported_and_imported_again_finds_the_same(run, tmp_path, capsys):
    workdir, variables = run
    out = tmp_path / "darknet"
    assert main(["export", str(workdir), "--to", "darknet", "--out", str(out)]) == 0
    line = capsys.readouterr().out
    assert (
        line.startswith(f"{out}: model.cfg, model.weights (")
        and "give the same detections as the network on 4 pictures" in line
    )
    assert sorted(path.name for path in out.iterdir()) == ["model.cfg", "model.names", "model.weights"]
    assert (out / "model.names").read_text() == "".join(f"{digit}\n" for digit in range(10))
    files = [str(out / "model.weights"), "--cfg", str(out / "model.cfg"), "--names", str(out / "model.names")]
    assert main(["import", *files, "--workdir", str(tmp_path / "again")]) == 0
    assert "yolov3_tiny, 10 classes, 64 x 64 pixels" in capsys.readouterr().out

    config, again = read_config(workdir), load_run(tmp_path / "again")
    for name in ("name", "num_classes", "width", "anchors"):
        assert getattr(again.config.model, name) == getattr(config.model, name), name
    assert again.config.data.class_names == config.data.class_names and again.config.data.size == (64, 64)
    assert again.grid == load_run(workdir).grid
    assert_equal(again.variables, variables)
    # 5 updates of 8 pictures.
    assert read_weights(out / "model.weights", again.model).header == (0, 2, 5, 40)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    detector = Detector.from_workdir(tmp_path / "again")
    (found,) = detector([image], score_threshold=0.05)
    darknet = Detector.from_darknet(out / "model.cfg", out / "model.weights", out / "model.names")
    (same,) = darknet([image], score_threshold=0.05)
    assert len(found.scores) and found.names == same.names and agree(found[:3], same[:3], 64, cut_short=True)

    with pytest.raises(InputError, match=r"model\.cfg exists; name another folder with --out"):
        export_workdir(workdir, "darknet", out)
    assert main(["import", *files, "--workdir", str(workdir)]) == 1
    assert capsys.readouterr().err == f"error: {workdir} holds a run already; name another --workdir\n"


def test_what_darknet_cannot_compute_is_not_exported(run, tmp_path):
    workdir, _ = run
    values = json.loads((workdir / "config.json").read_text())
    values["loss"].update(name="paper", class_scores="softmax")
    (workdir / "config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="class_scores is softmax, which"):
        export_workdir(workdir, "darknet", tmp_path / "out" / "deeper")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["weights", "cfg", "names"])
def test_files_that_are_not_the_network_are_not_left(fault, run, tmp_path, monkeypatch):
    def shifted(path, model, variables, header):
        other = jax.tree.map(np.array, variables)
        other["params"]["head32"]["head"]["bias"] += 0.05
        write_weights(path, model, other, header)

    def narrowed(config, size):
        return cfg_text(config, size).replace("14.0,27.0", "14.5,27.0").replace("14,27", "14.5,27")

    workdir, _ = run
    if fault == "names":
        config = json.loads((workdir / "config.json").read_text())
        config["data"]["class_names"][3] = "three\n"
        (workdir / "config.json").write_text(json.dumps(config))
    else:
        monkeypatch.setattr(convert, *{"weights": ("write_weights", shifted), "cfg": ("cfg_text", narrowed)}[fault])
    message = "class name 'three.n' cannot be a line" if fault == "names" else "differs from the network on picture 1, with"
    with pytest.raises(InputError, match=message):
        export_workdir(workdir, "darknet", tmp_path / "out")
    assert not (tmp_path / "out").exists()
