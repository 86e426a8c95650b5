"""Where a run starts: from nothing, from its newest checkpoint, and what it says of that."""

import jax
import numpy as np
import pytest

from tests.helpers.tiny_config import get_config
from yolojax.errors import InputError
from yolojax.models import initialize
from yolojax.runs.workdir import make_meta, open_workdir
from yolojax.training.plan import plan_run
from yolojax.training.start import announce, start_or_resume


class Lines(list):
    """A progress display that keeps its lines."""

    say = list.append


def planned(workdir, **train):
    config = get_config()
    for name, value in train.items():
        setattr(config.train, name, value)
    return plan_run(config, workdir)


def test_a_new_run_starts_from_the_variables_of_its_seed_and_a_saved_one_from_its_checkpoint(tmp_path):
    plan = planned(tmp_path)
    with open_workdir(plan.config, tmp_path) as checkpoints:
        start = start_or_resume(plan, checkpoints, tmp_path)
        assert (start.step, start.notes, int(start.state.step)) == (0, [], 0)
        expected = initialize(plan.model, plan.config.seed)["params"]
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(start.state.params), expected)
        assert start.data == {"train": None, "val": None}  # digits follow from the configuration

        moved = start.state._replace(params=jax.tree.map(lambda leaf: leaf + 1, start.state.params), step=start.state.step + 7)
        checkpoints.save(7, moved, make_meta(plan.config, {"ap50": 0.5}, [], [0.5], start.data))
        checkpoints.wait()
        again = start_or_resume(plan, checkpoints, tmp_path)
    assert (again.step, int(again.state.step), again.meta["scores"], again.notes) == (7, 7, [0.5], [])
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(again.state), jax.device_get(moved))


def test_what_is_announced(tmp_path):
    plan = planned(tmp_path, freeze="conv[1-3]$", freeze_epochs=1.0)
    with open_workdir(plan.config, tmp_path) as checkpoints:
        start = start_or_resume(plan, checkpoints, tmp_path)
    lines = Lines()
    announce(plan, start._replace(notes=["a note"]), tmp_path, lines)
    first, *notes, last = lines
    assert (
        first.startswith("yolov3_tiny, 10 classes, ") and "96 training and 12 validation pictures; 30 steps of 8 on " in first
    )
    assert notes[0] == "a note" and notes[1].endswith(" for the first 12 steps") and last == f"starting in {tmp_path}"
    announce(plan, start._replace(step=7), tmp_path, lines)
    assert lines[-1] == f"resuming {tmp_path} at step 7"


def test_a_pattern_that_matches_no_layer_is_refused(tmp_path):
    plan = planned(tmp_path, freeze="nothing")
    with open_workdir(plan.config, tmp_path) as checkpoints:
        start = start_or_resume(plan, checkpoints, tmp_path)
    with pytest.raises(InputError, match=r"config\.train\.freeze"):
        announce(plan, start, tmp_path, Lines())
