"""Runs that end at a bad moment: each resumed run ends to the bit as the one that was never disturbed."""

import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from tests.test_programs import CONFIG, TOTAL_STEPS, arrays, metrics_lines, run, start, succeed, wait_for_steps

pytestmark = pytest.mark.slow


def assert_same_end(workdir, expected):
    assert metrics_lines(workdir) == metrics_lines(expected)
    for ours, theirs in zip(arrays(workdir, TOTAL_STEPS), arrays(expected, TOTAL_STEPS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_killed_at_twenty_random_moments(environment, finished, tmp_path):
    """Training, saving, evaluating and starting: the moment is drawn over all of the run, and again over what is left of it."""
    expected, _ = finished
    rng = np.random.default_rng(0)
    flags = ("--config", CONFIG)
    began = time.monotonic()
    succeed(environment, "train.py", "--workdir", tmp_path / "timed", *flags)
    whole = time.monotonic() - began
    kills, attempts, places = 0, 0, []
    while kills < 20:
        workdir = tmp_path / str(attempts)
        attempts += 1
        assert attempts < 30
        for _ in range(4):
            process = start(environment, "train.py", "--workdir", workdir, *flags)
            try:
                process.communicate(timeout=rng.uniform(0.3, 1.0) * whole)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            if process.returncode != -signal.SIGKILL:
                break  # it had ended before
            kills += 1
            steps = [int(path.name) for path in (workdir / "checkpoints").glob("[0-9]*") if path.name.isdigit()]
            places.append(max(steps, default=0))
        if process.returncode:
            succeed(environment, "train.py", "--workdir", workdir, *flags)
        assert_same_end(workdir, expected)
        shutil.rmtree(workdir)
    assert len(set(places)) > 3, places  # not always the same moment


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
    out, err = process.communicate(timeout=120)
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
    while len([path for path in workdir.glob("checkpoints/*") if path.name.isdigit()]) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    return workdir


def test_newest_checkpoint_cut_short(environment, finished, tmp_path):
    expected, _ = finished
    workdir = stopped_run(environment, tmp_path)
    newest = max((path for path in workdir.glob("checkpoints/*") if path.name.isdigit()), key=lambda path: int(path.name))
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
    """For root no permission is denied; a file in the folder's place cannot be read or written by anyone."""
    workdir = tmp_path / "run"
    workdir.mkdir()
    (workdir / "checkpoints").write_text("mine")
    status, _, err = run(environment, "train.py", "--workdir", workdir, "--config", CONFIG)
    assert status == 1 and err.count("\n") == 1 and "cannot be written" in err, err
    assert (workdir / "checkpoints").read_text() == "mine"


def test_two_runs_on_one_workdir(environment, finished, tmp_path):
    pytest.importorskip("fcntl", reason="this system has no locks that end with their process")
    expected, _ = finished
    workdir = tmp_path / "run"
    command = ("train.py", "--workdir", workdir, "--config", CONFIG)
    first = start(environment, "-m", "tests.faults.interposed", "slow", "0.05", "--", *command[1:])
    wait_for_steps(first)
    status, _, err = run(environment, *command)
    assert status == 1 and err.count("\n") == 1 and f"{workdir}: another run trains there at this moment" in err, err
    while not [path for path in workdir.glob("checkpoints/*") if path.name.isdigit()]:
        time.sleep(0.05)
    assert first.poll() is None
    succeed(environment, "eval.py", "--workdir", workdir)
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
