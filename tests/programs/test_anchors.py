"""`yolojax anchors`, as users call it."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.face_files import write_face
from tests.helpers.random_lines import random_boxes
from yolojax.__main__ import main

TO_FLAGS = """
import json, sys, train
from yolojax.programs import cli
from yolojax.config import checked
from yolojax.models import build_grid
def show(arguments):
    config = checked(cli.config_value())
    print(json.dumps([config.model.name, build_grid(config.model, config.data.size).anchors]))
cli.run(show, train.define, "")
"""


@pytest.mark.parametrize("network", [pytest.param("yolov3", marks=pytest.mark.slow), "yolov3_tiny"])
def test_anchors_go_into_train(made, repository, capsys, network):
    arguments = made(*(f"{n}.png {random_boxes(9, n)}" for n in range(5)))
    assert main(["anchors", *arguments, "--network", network, "--size", "320"]) == 0
    shown = capsys.readouterr().out
    assert "45 boxes of 5 pictures at 320 x 320" in shown
    scores = {line.split()[0]: float(line.split()[1]) for line in shown.splitlines() if line.startswith(("default ", "found "))}
    assert scores["found"] > scores["default"]
    flags = [f"--config.model.name={network}", *shlex.split(shown.splitlines()[-1])]
    run = subprocess.run(
        [sys.executable, "-c", TO_FLAGS, "--workdir", "x", *flags], cwd=repository, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    name, anchors = json.loads(run.stdout)
    assert name == network and np.shape(anchors) == ((3, 3, 2) if network == "yolov3" else (2, 3, 2))
    printed = [line.split()[2:] for line in shown.split("found:")[1].splitlines() if "stride" in line]
    assert [" ".join(f"{w:g} x {h:g}" for w, h in scale).split() for scale in anchors] == printed
    assert main(["anchors", *arguments, "--network", network, "--size", "320"]) == 0
    assert capsys.readouterr().out == shown


def test_for_a_cfg_the_line_for_train_names_it(made, tmp_path, capsys):
    cfg, _ = write_face(tmp_path)
    arguments = made(*(f"{n}.png {random_boxes(9, n)}" for n in range(5)))
    assert main(["anchors", *arguments, "--cfg", str(cfg), "--size", "64x32"]) == 0
    *_, said, line = capsys.readouterr().out.splitlines()
    assert said == f"To train {cfg} with them:" and shlex.split(line)[:2] == ["--cfg", str(cfg)]
    assert shlex.split(line)[2].startswith("--config.model.anchors=((")
    assert shlex.split(line)[3:] == ["--config.data.size=64,32"]


def test_recall_by_the_ratio_of_sides(made, capsys):
    # Of ten boxes five are near a published anchor, five are lines too thin for all of them.
    arguments = made(*(f"{n}.png 5,5,20,20,0 1,1,{2 + n / 9},99,0" for n in range(5)))
    shares = []
    for more in (["--ratio", "4"], ["--ratio", "100"]):
        assert main(["anchors", *arguments, "--network", "yolov3_tiny", *more]) in (0, 1)
        shares += [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("default ")]
    assert shares == ["50.0%", "100.0%"]


def test_what_anchors_refuses(made, tmp_path, capsys):
    arguments = made("a.png 1,2,30,40,0", "b.png")
    for more, message in [
        ((), "the boxes have 1 different sizes, too few for 9 anchors"),
        (("--size", "100"), "--size must be a multiple of 32"),
        (("--seed", "-1"), "--seed must be at least 0"),
        (("--ratio", "1"), "--ratio must be greater than 1, not 1"),
    ]:
        assert main(["anchors", *arguments, *more]) == 1
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.startswith(f"error: {message}") and shown.err.count("\n") == 1
    (tmp_path / "b.png").write_bytes(b"")
    assert main(["anchors", *arguments]) == 1
    assert f"error: {arguments[0]}:2: {tmp_path / 'b.png'}: not a picture" in capsys.readouterr().err
