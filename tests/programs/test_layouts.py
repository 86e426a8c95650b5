"""Every layout in which labelled pictures lie on disk, through the programs: read, checked, split, converted and trained on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.layouts import LAYOUTS, NAMES, PICTURES
from yolojax.data.check import find_problems, is_remark
from yolojax.data.convert import convert
from yolojax.data.formats.names import read_names
from yolojax.data.formats.read import FORMATS, read_annotations, read_data, recognise, splits
from yolojax.data.image_size import try_pictures
from yolojax.data.problems import Problem
from yolojax.data.split import split_data

WRITTEN = sorted(name for name, form in FORMATS.items() if form.write)


@pytest.fixture(params=LAYOUTS, ids=lambda layout: layout.__name__)
def made(request, tmp_path):
    return request.param(tmp_path / "in")


def names_of(made):
    return read_names(made.names) if made.names else None


def assert_same(data, names=None, members=PICTURES):
    """A data set has these pictures, each once, with their boxes and class names."""
    class_names, records, _ = read_annotations(data, names=names)
    assert sorted(class_names) == list(NAMES)
    by_name = {os.path.basename(os.path.realpath(record.path)): record for record in records}
    assert set(by_name) == set(members) and len(records) == len(by_name)
    for name, record in by_name.items():
        found = sorted(zip((class_names[number] for number in record.classes), record.boxes.tolist(), strict=True))
        expected = sorted((label, box) for label, *box in PICTURES[name])
        assert [label for label, _ in found] == [label for label, _ in expected]
        np.testing.assert_allclose([box for _, box in found], [box for _, box in expected], rtol=0, atol=1e-4)


def test_is_recognised_and_read_whole(made):
    assert recognise(made.path) == made.form
    assert sorted(splits(made.path)) == sorted(made.splits)
    assert_same(made.path, names_of(made))
    if "train" in made.splits:
        members = [name for split in made.splits if split != "trainval" for name in members_of(f"{made.path}:{split}")]
        assert sorted(members) == sorted(PICTURES)


def members_of(data):
    return [os.path.basename(record.path) for record in read_annotations(data).records]


def test_check_finds_nothing_to_mend(made):
    problems = []
    names, records = read_data(made.path, made.names, lambda *problem: problems.append(Problem(*problem)))
    problems += find_problems(records, try_pictures(records), names)
    assert [problem for problem in problems if not is_remark(problem.kind, FORMATS[made.form].stops)] == []


def test_is_split(made, tmp_path):
    division = split_data(made.path, tmp_path / "out", val=0.25, test=0.25, names=names_of(made))
    parts = {split: members_of_list(tmp_path / "out" / f"{split}.txt", division.names) for split in ("train", "val", "test")}
    assert sorted(name for members in parts.values() for name in members) == sorted(PICTURES) and all(parts.values())
    for split, members in parts.items():
        assert_same(tmp_path / "out" / f"{split}.txt", division.names, members)


def members_of_list(path, names):
    return [os.path.basename(record.path) for record in read_annotations(path, names=names).records]


@pytest.mark.parametrize("to", WRITTEN)
def test_is_converted_and_back(made, tmp_path, to):
    convert([made.path], to, tmp_path / "one", names=names_of(made))
    written = written_files(tmp_path / "one", to)
    convert(written, "coco" if to != "coco" else "yolo", tmp_path / "two", names=NAMES)
    for folder, form in ((tmp_path / "one", to), (tmp_path / "two", "coco" if to != "coco" else "yolo")):
        members = []
        for data in written_files(folder, form):
            part = members_of_list(data, NAMES)
            assert_same(data, NAMES, part)
            members += part
        # VOC's trainval holds the pictures of train and val again.
        assert set(members) == set(PICTURES) and (len(members) == len(PICTURES) or "trainval" in made.splits)


def written_files(folder: Path, form: str) -> list[Path]:
    """What `convert` wrote, as one gives it to a program: the folder, or its files."""
    endings = {"text": "*.txt", "coco": "*.json"}
    return sorted(folder.glob(endings[form])) if form in endings else [folder]


SMALL = (
    "--config.model.name=yolov3_tiny", "--config.model.width=0.125", "--config.data.size=(64,64)",
    "--config.train.epochs=1", "--config.train.batch_size=2", "--config.data.cache_gib=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Runs a command of yolojax, which must succeed; what is compiled is kept for the next. Returns what it printed."""
    cache = tmp_path_factory.mktemp("compiled")
    xla = " ".join(flag for flag in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in flag)
    environment = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": xla, "JAX_COMPILATION_CACHE_DIR": str(cache)}
    environment |= {"PYTHONPATH": str(REPOSITORY), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def run(*arguments):
        command = [sys.executable, "-m", "yolojax", *map(str, arguments)]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_is_trained_on_evaluated_and_detected_in(made, tmp_path, program):
    workdir = tmp_path / "run"
    names = ("--names", made.names) if made.names else ()
    out = program("train", "--workdir", workdir, "--data", made.path, *names, *SMALL)
    assert out.startswith(f"{made.path}: recognised as {made.form}; 2 classes: ")
    metrics = json.loads((workdir / "eval/val/metrics.json").read_text())
    assert metrics["images"] > 0
    assert f"on {metrics['images']} pictures of the split 'val'" in program("eval", "--workdir", workdir)
    assert (workdir / "eval/val/report.html").stat().st_size
    picture = sorted(made.path.parent.rglob("p0.jpg") if made.path.is_file() else made.path.rglob("p0.jpg"))[0]
    program("detect", "--workdir", workdir, "--out", tmp_path / "found", "--score_threshold", "0.01", picture)
    assert (tmp_path / "found/p0.jpg").is_file() and json.loads((tmp_path / "found/detections.json").read_text())
