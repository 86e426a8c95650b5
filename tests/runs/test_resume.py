"""Resuming a run: damaged checkpoints, changed data, another run in the same workdir."""

import dataclasses
import gc
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.data.annotations import Record
from yolojax.data.fingerprint import describe_change, fingerprint
from yolojax.errors import InputError
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.lock import lock_workdir
from yolojax.runs.resume import check_data, restore_newest
from yolojax.runs.workdir import abstract_arrays

ON_ONE = jax.sharding.SingleDeviceSharding(jax.devices()[0])


def state(step):
    kernel = jax.random.normal(jax.random.key(step), (80, 90))
    return {"params": {"kernel": kernel}, "step": jnp.asarray(step, jnp.int32), "ema": None}


ABSTRACT = abstract_arrays(state(1), ON_ONE)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A workdir with the checkpoints of steps 4 and 8; the second one is better."""
    workdir = tmp_path_factory.mktemp("two")
    with Checkpoints(workdir) as checkpoints:
        for step in (4, 8):
            checkpoints.save(step, state(step), {"metrics": {"ap50": step / 10}, "pending": []})
            checkpoints.wait()
    return workdir


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# If an array cannot be read, tensorstore reports the others to an event loop that is closed by then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine:RuntimeWarning")
@pytest.mark.parametrize(
    ("what", "how"),
    [
        # Each part and each kind of damage once; the other combinations are slow.
        pytest.param(what, how, marks=() if row == column else pytest.mark.slow)
        for row, what in enumerate(["meta", "arrays", "index", "everything"])
        for column, how in enumerate(["empty", "cut", "gone", "zeros"])
    ],
)
def test_a_damaged_checkpoint_is_named_set_aside_as_it_is_and_the_one_before_is_read(two, tmp_path, what, how):
    workdir = tmp_path / "run"
    shutil.copytree(two, workdir)
    newest = workdir / "checkpoints" / "8"
    files = [path for path in newest.rglob("*") if path.is_file()]
    chosen = {
        "meta": [newest / "meta" / "metadata"],
        "arrays": [max(files, key=lambda path: path.stat().st_size)],
        "index": [newest / "state" / "manifest.ocdbt"],
        "everything": files,
    }[what]
    for path in chosen:
        data = path.read_bytes()
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "zeros": bytes(len(data))}[how])
    damaged = content(newest)

    with Checkpoints(workdir) as checkpoints:
        step, arrays, meta, lines = restore_newest(checkpoints, ABSTRACT)
        assert step == 4 and meta["metrics"] == {"ap50": 0.4} and checkpoints.steps() == [4] and checkpoints.best_step() == 4
        np.testing.assert_array_equal(arrays["params"]["kernel"], state(4)["params"]["kernel"])
        (line,) = lines
        assert line.startswith(f"{newest}: the checkpoint cannot be read: ") and "\n" not in line
        assert "kept as 8.unreadable, and the run continues from step 4" in line
        for again in (6, 8):  # before the damaged step, and the same step
            checkpoints.save(again, state(again), {"metrics": {}, "pending": []})
            checkpoints.wait()
        assert checkpoints.steps() == [4, 6, 8]  # 4 is the best
    assert content(newest.with_name("8.unreadable")) == damaged
    with Checkpoints(workdir) as checkpoints:
        assert restore_newest(checkpoints, ABSTRACT)[0] == 8
    gc.collect()


def test_an_older_one_of_unknown_metrics_is_set_aside_too_so_that_the_best_can_be_told(two, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(two, workdir)
    (workdir / "checkpoints/4/meta/metadata").write_text('{"metrics": 1}')
    with Checkpoints(workdir) as checkpoints:
        step, _, _, (line,) = restore_newest(checkpoints, ABSTRACT)
        assert step == 8 and "/4: the checkpoint cannot be read: " in line and "kept as 4.unreadable" in line
        checkpoints.save(12, state(12), {"metrics": {}, "pending": []})


def test_where_none_can_be_read_the_newest_is_named_and_nothing_is_renamed(two, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(two, workdir)
    for path in workdir.rglob("manifest.ocdbt"):
        path.write_bytes(b"")
    before = content(workdir)
    with Checkpoints(workdir) as checkpoints:
        with pytest.raises(InputError, match=r"/8: the checkpoint cannot be read: .*; no earlier checkpoint can be read"):
            restore_newest(checkpoints, ABSTRACT)
    assert content(workdir) == before


def test_evaluation_names_a_damaged_checkpoint_and_takes_no_other(two, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(two, workdir)
    (workdir / "checkpoints/8/meta/metadata").write_text('{"metrics": ')
    checkpoints = Checkpoints(workdir, read_only=True)
    with pytest.raises(InputError, match=r"checkpoints/8: the checkpoint cannot be read: "):
        checkpoints.best_step()
    assert checkpoints.steps() == [4, 8]


def records(number=3):
    return [
        Record(f"{i}.png", np.full((i, 4), i, np.float32), np.arange(i, dtype=np.int32), f"list.txt:{i + 1}")
        for i in range(number)
    ]


@pytest.mark.parametrize(
    "name, value",
    [("path", "4.png"), ("boxes", np.full((2, 4), 2.5, np.float32)), ("classes", np.array([0, 7], np.int32)),
     ("difficult", np.array([True, False])), ("crowd", np.array([False, True]))],
)  # fmt: skip
def test_any_change_of_a_record_is_found_and_where_it_stands_does_not_matter(name, value):
    before = fingerprint(records())
    assert describe_change(before, records()) is None
    moved = [dataclasses.replace(record, source="other.txt:9") for record in records()]
    assert describe_change(before, moved) is None
    changed = records()
    changed[2] = dataclasses.replace(changed[2], **{name: value})
    assert describe_change(before, changed) == "list.txt:3 has changed"


def test_pictures_added_or_in_another_order_are_found():
    before = fingerprint(records(600))
    assert len(before["parts"]) == 256
    changed = describe_change(before, records(601))
    assert changed == "600 pictures with 179700 boxes then, 601 pictures with 180300 boxes now"
    swapped = records(600)
    swapped[599], swapped[598] = swapped[598], swapped[599]
    assert describe_change(before, swapped) == "something from list.txt:600 to list.txt:599 has changed"
    assert describe_change(fingerprint(records(1)), []) == "1 pictures with 0 boxes then, 0 pictures with 0 boxes now"


class Listed:
    def __init__(self, records):
        self.records = records


def test_changed_data_is_refused_and_checkpoints_written_before_fingerprints_existed_are_not():
    sources = {"train": Listed(records()), "val": Listed(records(2))}
    meta = {"data": {"train": fingerprint(records()), "val": fingerprint(records(3))}}
    data = {name: fingerprint(source.records) for name, source in sources.items()}
    with pytest.raises(
        InputError, match=r"config\.data\.val has changed since runs/a .* step 8: 3 pictures .*init_from=runs/a"
    ):
        check_data(meta, data, sources, "runs/a", 8)
    check_data({}, data, sources, "runs/a", 8)
    check_data({"data": {"train": None}}, {"train": None}, {"train": object()}, "runs/a", 8)


HOLD = """
import sys
from yolojax.runs.lock import lock_workdir
with lock_workdir(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_workdir_is_held_by_one_run_until_it_ends_even_by_force(tmp_path, repository):
    pytest.importorskip("fcntl", reason="this system has no such locks")
    workdir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workdir)], cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(InputError, match="another run is training there"), lock_workdir(workdir):
                raise AssertionError
        finally:
            process.kill()
    with lock_workdir(workdir):
        assert not list(workdir.iterdir())


def test_where_there_are_no_locks_the_run_goes_on(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")

    def refused(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with lock_workdir(tmp_path), lock_workdir(tmp_path):
        pass
    monkeypatch.setattr("yolojax.runs.lock.fcntl", None)
    with lock_workdir(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file cannot be written: "), lock_workdir(tmp_path / "file"):
        raise AssertionError
