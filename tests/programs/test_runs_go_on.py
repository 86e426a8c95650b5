"""A run that goes on: with its data in another place, for more epochs, on other data."""

import json
import shlex
import shutil

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.programs import one_device, run_programs
from tests.helpers.tiny_set import FLAGS, data_flags, write_set
from tests.programs.test_environment import shell


def succeed(*words):
    status, out, err = shell('"$@"', *words)
    assert status == 0 and not err, err
    return out


def train(workdir, data, *flags):
    return REPOSITORY / "train.py", "--workdir", workdir, *FLAGS, *data_flags(data), *flags


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with the data set "cells" and the workdir "run" of a run that has ended; not to be changed."""
    folder = tmp_path_factory.mktemp("run")
    write_set(folder / "cells")
    succeed(*train(folder / "run", folder / "cells/data.yaml"))
    return folder


@pytest.fixture
def copy(run, tmp_path):
    """A copy in another place, where nothing leads to the first one but the paths in the configuration."""
    shutil.copytree(run, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.slow
def test_moved_data_is_resumed_bit_for_bit_and_evaluated_in_its_new_place(run, copy):
    (copy / "cells").rename(copy / "renamed")
    data = copy / "renamed/data.yaml"
    more = ("--config.train.checkpoint_steps=1", "--config.train.epochs=2")
    whole = succeed(*train(copy / "whole", data, *more))
    # The same run, begun with the data elsewhere and resumed without its last checkpoint.
    succeed(*train(copy / "elsewhere", run / "cells/data.yaml", *more))
    shutil.rmtree(copy / "elsewhere/checkpoints/4")
    out = succeed(*train(copy / "elsewhere", data, *more))
    assert (
        f"the data of config.data.train has moved: {run}/cells/data.yaml -> {data}; it is the same (4 pictures, 8 boxes)" in out
    )
    assert "resuming" in out and "step 4" in whole
    numbers = [json.loads((copy / name / "eval/val/metrics.json").read_text()) for name in ("whole", "elsewhere")]
    for metrics in numbers:
        for name in ("config", "run", "images_per_second"):
            metrics.pop(name)
    assert numbers[0] == numbers[1]
    saved = json.loads((copy / "elsewhere/config.json").read_text())["data"]
    assert saved["train"] == saved["val"] == str(data)
    succeed(REPOSITORY / "eval.py", "--workdir", copy / "elsewhere")


@pytest.mark.slow  # training/test_own_parts.py refuses changed data
def test_data_that_has_moved_and_changed_is_refused(copy):
    (copy / "cells").rename(copy / "renamed")
    (copy / "renamed/labels/train/0.txt").write_text("1 0.5 0.5 0.5 0.5\n0 0.3 0.5 0.3 0.5\n")
    before = (copy / "run/config.json").read_bytes()
    status, _out, err = shell('"$@"', *train(copy / "run", copy / "renamed/data.yaml"))
    assert status == 1 and err.count("\n") == 1 and "config.data.train has changed" in err and "0.txt" in err
    assert (copy / "run/config.json").read_bytes() == before


@pytest.mark.slow
def test_more_epochs_are_refused_with_the_command_that_goes_on(copy):
    status, _out, err = shell('"$@"', *train(copy / "run", copy / "cells/data.yaml", "--config.train.epochs=1.5"))
    assert status == 1 and err.count("\n") == 1 and "(train.epochs: 1.0 -> 1.5)" in err
    python, *words = shlex.split(err.partition("in a new workdir: ")[2])
    assert python == "python" and f"--workdir={copy}/run_2" in words and f"--config.init_from={copy}/run" in words
    out = succeed(*words)
    assert f"initial values from {copy}/run, step 2:" in out and f"starting in {copy}/run_2" in out
    assert json.loads((copy / "run_2/config.json").read_text())["train"]["epochs"] == 1.5


@pytest.mark.slow  # data/test_class_map.py has the classes
def test_evaluation_on_some_of_the_classes_under_another_name(run, tmp_path):
    data = write_set(tmp_path / "other", ("kitten",))
    words = (REPOSITORY / "eval.py", "--workdir", run / "run", "--data", data)
    (status, _, err), (renamed, _, nothing) = run_programs(one_device(), [words, (*words, "--class_map=kitten=cat")])
    assert status == 1 and err.count("\n") == 1 and "no class 'kitten'; its classes are 'cat', 'dog'" in err
    assert renamed == 0 and not nothing, nothing
    metrics = json.loads((run / "run/eval/val/metrics.json").read_text())
    assert metrics["per_class"]["cat"]["boxes"] == metrics["boxes"] == 4
    assert metrics["per_class"]["dog"]["detections"] == 0 < metrics["per_class"]["cat"]["detections"]


@pytest.mark.slow
def test_evaluation_without_the_data_of_the_run_names_the_way(copy, run):
    config = copy / "run/config.json"
    config.write_text(config.read_text().replace(str(run / "cells"), str(copy / "gone")))
    status, _out, err = shell('"$@"', REPOSITORY / "eval.py", "--workdir", copy / "run")
    assert status == 1 and err.count("\n") == 1 and "gone/data.yaml" in err and "--data PATH" in err
