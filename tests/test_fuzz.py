"""Damaged files of every kind, a short while in the default suite and a long one among the slow tests; see tests/fuzz.py."""

import json
import random
import re
import struct
import sys
import zipfile

import numpy as np
import pytest

from tests.helpers.cfgs import ZOO, random_floats
from yolojax.darknet.detector import read_darknet
from yolojax.darknet.network import network_from_cfg
from yolojax.darknet.weights import places
from yolojax.errors import InputError
from yolojax.evaluation.report.history import read_history
from yolojax.evaluation.report.saved import read_evaluation
from yolojax.runs.exported import ABOUT, KIND, PROGRAM, VERSION, load_exported
from yolojax.runs.workdir import read_config

fuzz = pytest.importorskip("tests.fuzz", reason="limits of time and memory are those of Unix")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_damaged_files_are_read_or_refused(name):
    counts, findings = fuzz.fuzz(name, random.Random(f"{name} short"), cases=60)
    assert not findings
    assert counts["read"] and counts["refused"]  # the damage is neither none nor all


@pytest.mark.slow
@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_damaged_files_are_read_or_refused_for_a_long_time(name):
    counts, findings = fuzz.fuzz(name, random.Random(f"{name} long"), seconds=40)
    assert not findings and counts["refused"]


def test_the_fuzzer_notices_what_it_looks_for():
    def loop():
        while True:
            pass

    def wrong():
        raise AssertionError

    def raises(error):
        raise error

    with fuzz._limits():
        fuzz.SECONDS_A_CASE, before = 1, fuzz.SECONDS_A_CASE
        try:
            assert fuzz.attempt(loop) == "no answer in 1 s"
        finally:
            fuzz.SECONDS_A_CASE = before
        assert fuzz.attempt(wrong).startswith("accepted, and cannot be true")
        assert fuzz.attempt(lambda: raises(KeyError("x"))).startswith("KeyError")
        assert fuzz.attempt(lambda: np.ones(2**33)).startswith("MemoryError")
        assert fuzz.attempt(lambda: raises(InputError("x"))) == "refused" and fuzz.attempt(lambda: None) == "read"


def test_json_nested_too_deeply_is_one_line(tmp_path):
    deep = "[" * 100_000
    for name in ("config.json", "metrics.json", "detections.json", "metrics.jsonl"):
        (tmp_path / name).write_text(deep)
    with pytest.raises(InputError, match=r"config\.json cannot be read: "):
        read_config(tmp_path)
    with pytest.raises(InputError, match=r"metrics\.json cannot be read: "):
        read_evaluation(tmp_path, "val")
    assert len(read_history(tmp_path / "metrics.jsonl")["train"]["step"]) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    (tmp_path / "a.cfg").write_text(ZOO)
    model, _ = network_from_cfg(tmp_path / "a.cfg")
    floats = random_floats(sum(place.floats for place in places(model))).astype("<f4")
    floats[41] = value
    (tmp_path / "a.weights").write_bytes(struct.pack("<iiiq", 0, 2, 0, 0) + floats.tobytes())
    with pytest.raises(InputError, match=rf"a\.weights: .* holds {value}: the file is damaged"):
        read_darknet(tmp_path / "a.cfg", tmp_path / "a.weights")


@pytest.mark.parametrize(
    "change, message",
    [
        (("size=3", f"size={'9' * 400}"), r"a\.cfg:\d+: \[convolutional\] size=9+ must be a whole number"),
        (("mask=2,0,1", "num=2147483647"), r"there is no anchor \d+ \(counted from 0\): num=2147483647 and \d+ anchors"),
    ],
)
def test_numbers_of_a_cfg_that_no_network_has(tmp_path, change, message):
    (tmp_path / "a.cfg").write_text(re.sub(r"num=\d+\n", "", ZOO).replace(*change, 1))
    with fuzz._limits(), pytest.raises(InputError, match=message):
        network_from_cfg(tmp_path / "a.cfg")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"names": "cats"}, "its names are not a list of names"),
        ({"names": [1, 2]}, "its names are not a list of names"),
        ({"size": [64]}, r"its size is not \(height, width\)"),
        ({"size": [64, -96]}, r"its size is not \(height, width\)"),
    ],
)
def test_what_an_exported_file_says_must_make_sense(tmp_path, change, message):
    about = {"format": KIND, "version": VERSION, "names": ["cat"], "size": [64, 96], "jax": "0"} | change
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr(ABOUT, json.dumps(about))
        archive.writestr(PROGRAM, b"")
    with pytest.raises(InputError, match=message):
        load_exported(tmp_path / "a")


def test_an_exported_file_that_would_grow_when_it_is_read_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, b"{" + bytes(10_000_000))
        archive.writestr(PROGRAM, b"")
    with pytest.raises(InputError, match="it was compressed"):
        load_exported(tmp_path / "a")
