"""Runs that end at a bad moment: each resumed run ends to the bit as the one that was never disturbed."""

import collections
import re
import shutil
import signal
import time

import numpy as np
import pytest

from tests.helpers.permissions import bound, permissions
from tests.programs.test_programs import (
    CONFIG,
    LIMIT,
    TOTAL_STEPS,
    arrays,
    end_of,
    metrics_lines,
    run,
    start,
    succeed,
    wait_for_steps,
)

pytestmark = pytest.mark.slow


def assert_same_end(workdir, expected):
    assert metrics_lines(workdir) == metrics_lines(expected)
    for ours, theirs in zip(arrays(workdir, TOTAL_STEPS), arrays(expected, TOTAL_STEPS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def steps_of(workdir):
    """The steps that have a checkpoint, ascending."""
    return sorted(int(path.name) for path in workdir.glob("checkpoints/*") if path.name.isdigit())


def place_of(workdir, marks):
    """Where a run is, or was when it was killed, by what it left; and how many places it has come to."""
    places = marks.read_text().splitlines() if marks.exists() else []
    if not places:
        return "starting", 0
    # What an earlier process left half saved is gone before the first place.
    saving = any(workdir.glob("checkpoints/*.orbax-checkpoint-tmp*"))
    return "saving" if saving else places[-1], len(places)


def test_killed_at_twenty_random_moments(environment, finished, tmp_path):
    """Four times in each place; where the kill found the run elsewhere it is one more, and tried again."""
    expected, _ = finished
    rng = np.random.default_rng(0)
    workdir, marks = tmp_path / "run", tmp_path / "marks"
    flags = ("--workdir", workdir, "--config", CONFIG)
    wanted = rng.permutation(["starting", "training", "saving", "evaluating", "reporting"] * 4).tolist()
    found, starting_seconds = [], 3
    while wanted and len(found) < 60:
        marks.unlink(missing_ok=True)
        # The run comes to more places than it has steps to make: the moment may be any of these.
        moment = rng.integers(0, TOTAL_STEPS - max(steps_of(workdir), default=0), endpoint=True)
        began = time.monotonic()
        with start(environment, "-m", "tests.faults.interposed", "places", marks, "--", *flags) as process:
            if wanted[-1] == "starting":
                time.sleep(rng.uniform(0, starting_seconds))
            else:
                while process.poll() is None and time.monotonic() - began < LIMIT:
                    place, number = place_of(workdir, marks)
                    if number == 0:
                        starting_seconds = time.monotonic() - began
                    if place == wanted[-1] and number >= moment:
                        break
                    time.sleep(0.001)
            process.kill()
            _, err = process.communicate()
        assert not err, err
        if process.returncode == -signal.SIGKILL:
            found.append(place_of(workdir, marks)[0])
            if found[-1] == wanted[-1]:
                wanted.pop()
            if wanted and max(steps_of(workdir), default=0) < TOTAL_STEPS:
                continue
            succeed(environment, "train.py", *flags)
        assert_same_end(workdir, expected)
        shutil.rmtree(workdir)
    print("killed while", collections.Counter(found))
    assert not wanted, found


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop(environment, finished, tmp_path, stop):
    expected, _ = finished
    workdir = tmp_path / "run"
    command = ("train.py", "--workdir", workdir, "--config", CONFIG)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(environment, "-m", "tests.faults.interposed", "slow", "0.02", "--", *command[1:])
    signal.signal(signal.SIGINT, before)
    wait_for_steps(process)
    process.send_signal(stop)
    out, err = end_of(process)
    assert process.returncode == (128 + stop if stop == signal.SIGTERM else 130) and not err
    saved = re.search(r"stopped; step (\d+) is saved", out)
    assert saved and (workdir / "checkpoints" / saved[1]).is_dir()
    succeed(environment, *command)
    assert_same_end(workdir, expected)


def stopped_run(environment, tmp_path):
    """The workdir of a run that was stopped in its middle, with two checkpoints or more."""
    workdir = tmp_path / "run"
    process = start(
        environment, "-m", "tests.faults.interposed", "slow", "0.02", "--", "--workdir", workdir, "--config", CONFIG
    )
    while len(steps_of(workdir)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    end_of(process)
    return workdir


def test_newest_checkpoint_cut_short(environment, finished, tmp_path):
    expected, _ = finished
    workdir = stopped_run(environment, tmp_path)
    newest = workdir / "checkpoints" / str(steps_of(workdir)[-1])
    files = [path for path in newest.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    damaged = {path.relative_to(newest): path.read_bytes() for path in files}
    for arguments in (("eval.py", "--workdir", workdir, "--checkpoint=last"), ("eval.py", "--workdir", workdir)):
        status, _, err = run(environment, *arguments)
        assert status == 1 and err.count("\n") == 1 and f"{newest}: the checkpoint cannot be read: " in err, err
    status, out, err = run(environment, "train.py", "--workdir", workdir, "--config", CONFIG)
    assert status == 0 and not err, err
    kept = newest.with_name(f"{newest.name}.unreadable")
    assert f"{newest}: the checkpoint cannot be read: " in out and f"kept as {kept.name}" in out
    assert {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*") if path.is_file()} == damaged
    assert_same_end(workdir, expected)


def test_checkpoints_is_no_folder(environment, tmp_path):
    workdir = tmp_path / "run"
    workdir.mkdir()
    (workdir / "checkpoints").write_text("mine")
    status, _, err = run(environment, "train.py", "--workdir", workdir, "--config", CONFIG)
    assert status == 1 and err.count("\n") == 1 and "cannot be written" in err, err
    assert (workdir / "checkpoints").read_text() == "mine"


def test_checkpoints_without_permission(environment, finished, tmp_path):
    """Not damage: nothing is set aside for it, and with permission again the run goes on as if it had never been refused."""
    expected, _ = finished
    workdir = stopped_run(environment, tmp_path)
    newest = workdir / "checkpoints" / str(steps_of(workdir)[-1])
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    train, evaluate = ("train.py", "--workdir", workdir, "--config", CONFIG), ("eval.py", "--workdir", workdir)
    for path, mode, commands in (
        (workdir, 0, (train, evaluate)),
        (workdir / "checkpoints", 0, (train, evaluate)),
        (workdir / "checkpoints", 0o400, (train, evaluate)),
        (workdir / "checkpoints", 0o500, (train,)),
        (newest, 0, (train, evaluate)),
        (newest / "meta/metadata", 0, (train, evaluate)),
    ):
        for command in commands:
            with permissions(path, mode):
                status, _, err = run(environment, *command, before=bound())
            assert status == 1 and err.count("\n") == 1 and f"{path}" in err, err
            assert "Permission denied" in err if path == workdir else "this user may not read" in err and "chmod" in err, err
    assert {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()} == before
    succeed(environment, *train)
    assert_same_end(workdir, expected)


@pytest.mark.parametrize("mode", [0, 0o500])
def test_home_that_may_not_be_written(environment, finished, tmp_path, mode):
    """Programs are compiled anew, and that is all."""
    expected, _ = finished
    home, workdir = tmp_path / "home", tmp_path / "run"
    home.mkdir()
    unset = ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")
    elsewhere = {name: value for name, value in environment.items() if name not in unset} | {"HOME": str(home)}
    with permissions(home, mode):
        succeed(elsewhere, "train.py", "--workdir", workdir, "--config", CONFIG, before=bound())
        succeed(elsewhere, "eval.py", "--workdir", workdir, before=bound())
    assert_same_end(workdir, expected)


def test_two_runs_on_one_workdir(environment, finished, tmp_path):
    pytest.importorskip("fcntl", reason="this system has no locks that end with their process")
    expected, _ = finished
    workdir = tmp_path / "run"
    command = ("train.py", "--workdir", workdir, "--config", CONFIG)
    with start(environment, "-m", "tests.faults.interposed", "held", tmp_path / "go", "--", *command[1:]) as first:
        try:
            wait_for_steps(first)
            status, _, err = run(environment, *command)
            assert status == 1 and err.count("\n") == 1 and f"{workdir}: another run is training there" in err, err
            succeed(environment, "eval.py", "--workdir", workdir)
            (tmp_path / "go").touch()
            wait_for_steps(first)
        finally:
            first.kill()
            first.communicate()
    succeed(environment, *command)
    assert_same_end(workdir, expected)


def test_clock_set_back(environment, finished, tmp_path):
    expected, _ = finished
    workdir = tmp_path / "run"
    flags = ("--workdir", workdir, "--config", CONFIG)
    succeed(environment, "-m", "tests.faults.interposed", "clock_back", "100000", "--", *flags)
    assert_same_end(workdir, expected)
