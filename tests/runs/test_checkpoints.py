"""Checkpoints: which are kept, how they are restored, and the errors if they cannot be."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.state import STATE
from yolojax.errors import InputError
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.workdir import abstract_arrays
from yolojax.runtime.devices import make_mesh, shardings

ON_ONE = jax.sharding.SingleDeviceSharding(jax.devices()[0])


def save(checkpoints, step, ap50=None, state=STATE):
    checkpoints.save(step, state, {"metrics": {} if ap50 is None else {"ap50": ap50}, "pending": [{"loss": 0.1}]})


def test_the_last_two_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.steps() == [] and checkpoints.best_step() is None
    for step, ap50 in ((1, 0.5), (2, 0.9), (3, 0.7), (4, None), (5, 0.8), (6, None)):
        save(checkpoints, step, ap50)
    checkpoints.wait()
    assert checkpoints.steps() == [2, 5, 6]
    assert checkpoints.best_step() == 2
    checkpoints.close()
    again = Checkpoints(tmp_path, read_only=True)
    assert again.steps() == [2, 5, 6] and again.best_step() == 2
    assert again.meta(5) == {"metrics": {"ap50": 0.8}, "pending": [{"loss": 0.1}]}


def test_a_resumed_run_keeps_the_best_checkpoint_of_its_earlier_part(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        for step, ap50 in ((1, 0.9), (2, 0.5), (3, None)):
            save(checkpoints, step, ap50)
    with Checkpoints(tmp_path) as checkpoints:
        for step, ap50 in ((4, None), (5, 0.7), (6, None)):
            save(checkpoints, step, ap50)
        checkpoints.wait()
        assert checkpoints.steps() == [1, 5, 6] and checkpoints.best_step() == 1
        save(checkpoints, 7, 0.95)
    assert Checkpoints(tmp_path, read_only=True).steps() == [6, 7]


def test_the_checkpoints_of_certain_steps_are_kept_also_by_a_resumed_run(tmp_path):
    at_once, in_parts = tmp_path / "one", tmp_path / "other"
    values = ((2, None), (3, 0.5), (4, 0.9), (6, 0.7), (7, None), (9, 0.8), (10, None), (11, None))
    for folder, parts in ((at_once, (values,)), (in_parts, (values[:4], values[4:6], values[6:]))):
        for part in parts:
            with Checkpoints(folder, keep_every=3) as checkpoints:
                for step, ap50 in part:
                    save(checkpoints, step, ap50)
        checkpoints = Checkpoints(folder, read_only=True)
        assert checkpoints.steps() == [3, 4, 6, 9, 10, 11] and checkpoints.best_step() == 4
    # A checkpoint between them, as of a run that was stopped, does not stay.
    with Checkpoints(in_parts, keep_every=3) as checkpoints:
        for step in (12, 13, 14):
            save(checkpoints, step)
    assert Checkpoints(in_parts, read_only=True).steps() == [3, 4, 6, 9, 12, 13, 14]


@pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
def test_a_state_that_is_on_all_devices_is_saved_without_a_program_and_comes_back(tmp_path, caplog):
    replicated, _ = shardings(make_mesh(jax.devices()))
    kernel = np.random.default_rng(0).normal(size=(16, 24))
    state = jax.device_put({"params": {"kernel": kernel}, "step": np.int32(3)}, replicated)
    with jax.log_compiles(), Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, state=state)
    assert "Compiling" not in caplog.text
    again = Checkpoints(tmp_path, read_only=True).restore(1, abstract_arrays(state, replicated))
    jax.tree.map(np.testing.assert_array_equal, again, state)


def test_answers_that_come_after_a_reading_that_failed_are_not_reported(tmp_path, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(InputError, match="cannot be read"):
            checkpoints.meta(1)
        late = SimpleNamespace(exc_value=RuntimeError("Event loop is closed"))
        other = SimpleNamespace(exc_value=RuntimeError("something else"))
        sys.unraisablehook(late)
        sys.unraisablehook(other)
    assert reported == [other]


def test_of_equally_good_checkpoints_the_later_is_the_best_and_a_step_is_saved_once(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 0.5)
    save(checkpoints, 2, 0.5)
    save(checkpoints, 2, 0.1)
    checkpoints.wait()
    assert checkpoints.best_step() == 2
    assert checkpoints.meta(2)["metrics"] == {"ap50": 0.5}
    checkpoints.close()


def test_arrays_come_back_to_the_bit_whole_or_in_part(tmp_path):
    state = {"params": {"kernel": jax.random.normal(jax.random.key(0), (5, 7))}, "step": jnp.asarray(9, jnp.int32), "ema": None}
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 9, state=state)
    checkpoints.wait()
    whole = checkpoints.restore(9, abstract_arrays(state, ON_ONE))
    part = checkpoints.restore(9, abstract_arrays({"params": state["params"]}, ON_ONE))
    np.testing.assert_array_equal(whole["params"]["kernel"], state["params"]["kernel"])
    np.testing.assert_array_equal(part["params"]["kernel"], state["params"]["kernel"])
    assert whole["step"] == 9 and whole["ema"] is None
    other = {"params": {"kernel": jnp.zeros((5, 8))}}
    with pytest.raises(
        InputError,
        match=r"checkpoints/9: the .* cannot be read: it holds an array of shape \(5, 7\) where .* has \(5, 8\); a part",
    ):
        checkpoints.restore(9, abstract_arrays(other, ON_ONE))
    checkpoints.close()


def test_a_half_written_checkpoint_of_a_killed_run_is_not_seen(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 0.5)
    checkpoints.close()
    (tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp-7").mkdir()
    (tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp-7" / "state").mkdir()
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.steps() == [1]
    save(checkpoints, 2)
    checkpoints.close()
    assert Checkpoints(tmp_path, read_only=True).steps() == [1, 2]


def test_a_folder_that_cannot_be_written_is_one_clear_error_and_loses_nothing(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 0.5)
    checkpoints.wait()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(InputError, match=r"checkpoints: a checkpoint cannot be written: .*No space left on device; earlier"):
        save(checkpoints, 2)
    monkeypatch.undo()
    assert checkpoints.steps() == [1]
    checkpoints.close()


def test_checkpoints_that_are_removed_while_a_run_trains_are_missed_before_the_next_is_saved(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    checkpoints.wait()
    (tmp_path / "checkpoints").rename(tmp_path / "moved")
    with pytest.raises(
        InputError, match=r"checkpoints: the folder was removed or renamed .*; step 2 cannot be saved; put it back"
    ):
        save(checkpoints, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    checkpoints.close()


STUCK = """
import sys
from pathlib import Path
import jax.numpy as jnp
from orbax.checkpoint._src.path import atomicity
from yolojax.errors import InputError
from yolojax.runs.checkpoints import Checkpoints

async def no_room(*_, **__):
    raise OSError(28, "No space left on device")

with Checkpoints(sys.argv[1]) as checkpoints:
    atomicity.AtomicRenameTemporaryPath.create = no_room
    try:
        checkpoints.save(1, {"a": jnp.ones(3)}, {"metrics": {}, "pending": []})
        checkpoints.wait()
    except InputError as error:
        print(error)
        sys.exit(1)
"""


def test_a_folder_that_cannot_be_made_ends_the_process_in_seconds(tmp_path):
    """Threads of Orbax wait twenty minutes for the folder, and Python waits for them."""
    done = subprocess.run([sys.executable, "-c", STUCK, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "a checkpoint cannot be written: " in done.stdout and "No space left" in done.stdout


@pytest.mark.parametrize("name", ["3", "0", "7", "notes.orbax-checkpoint-tmp"])
def test_a_folder_that_is_no_checkpoint_is_never_deleted(name, tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, 0.5)
        save(checkpoints, 2, 0.4)
    stray = tmp_path / "checkpoints" / name
    stray.mkdir()
    (stray / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=rf"checkpoints/{name}: is called like a checkpoint, but is none"):
        Checkpoints(tmp_path)
    assert (stray / "mine.txt").read_text() == "mine"
    with Checkpoints(tmp_path, read_only=True) as reader:
        assert reader.steps() == [1, 2] and reader.best_step() == 1


def test_a_checkpoint_of_a_step_that_no_run_has_is_none(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, 0.5)
    folder = tmp_path / "checkpoints"
    for name in ("2147483648", "18446744073709551616"):
        shutil.copytree(folder / "1", folder / name)
        with pytest.raises(InputError, match=rf"checkpoints/{name}: is called like a checkpoint, but is none"):
            Checkpoints(tmp_path)
        with Checkpoints(tmp_path, read_only=True) as reader:
            assert reader.steps() == [1]
        shutil.rmtree(folder / name)


def test_a_folder_that_appears_during_the_run_stays(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        for step in (4, 5):
            save(checkpoints, step, 0.5)
        checkpoints.wait()
        (tmp_path / "checkpoints" / "2").mkdir()
        (tmp_path / "checkpoints" / "2" / "mine.txt").write_text("mine")
        checkpoints._manager.reload()
        for step in (6, 7, 8):
            save(checkpoints, step, 0.5)
        checkpoints.wait()
        assert checkpoints.steps() == [7, 8]
    assert (tmp_path / "checkpoints" / "2" / "mine.txt").read_text() == "mine"


def test_a_checkpoint_that_is_a_link_stays(tmp_path):
    meta = {"metrics": {}, "pending": []}
    with Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(1, {"a": jnp.arange(6.0)}, meta)
    shutil.move(tmp_path / "run" / "checkpoints" / "1", tmp_path / "elsewhere")
    (tmp_path / "run" / "checkpoints" / "1").symlink_to(tmp_path / "elsewhere")
    with Checkpoints(tmp_path / "run") as checkpoints:
        for step in (2, 3, 4):
            checkpoints.save(step, {"a": jnp.arange(6.0)}, meta)
    with Checkpoints(tmp_path / "run", read_only=True) as checkpoints:
        assert checkpoints.steps() == [1, 3, 4]
    assert (tmp_path / "elsewhere" / "meta").exists()
