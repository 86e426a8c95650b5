"""Resuming a run: damaged checkpoints, changed data."""

import dataclasses
import gc
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.records import records
from yolojax.data.fingerprint import fingerprint
from yolojax.errors import InputError
from yolojax.runs.checkpoints import Checkpoints
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


class Listed:
    def __init__(self, records):
        self.records = records


def test_changed_data_is_refused_and_checkpoints_written_before_fingerprints_existed_are_not():
    sources = {"train": Listed(records()), "val": Listed(records(2))}
    paths = {"train": "/a/train.txt", "val": "/a/val.txt"}
    meta = {"data": {"train": fingerprint(records()), "val": fingerprint(records(3))}}
    data = {name: fingerprint(source.records) for name, source in sources.items()}
    with pytest.raises(
        InputError, match=r"config\.data\.val has changed since runs/a .* step 8: 3 pictures .*init_from=runs/a"
    ):
        check_data(meta, data, sources, paths, "runs/a", 8)
    assert check_data({}, data, sources, paths, "runs/a", 8) == []
    assert check_data({"data": {"train": None}}, {"train": None}, {"train": object()}, paths, "runs/a", 8) == []


def moved_records():
    return [dataclasses.replace(record, path=f"/mnt/{record.path}") for record in records()]


def test_moved_data_is_resumed_and_said():
    sources, data = {"val": Listed(moved_records())}, {"val": fingerprint(moved_records())}
    before = {"data": {"val": fingerprint(records())}, "config": {"data": {"val": "/a/val.txt"}}}
    (line,) = check_data(before, data, sources, {"val": "/mnt/val.txt"}, "runs/a", 8)
    assert line == ("the data of config.data.val has moved: /a/val.txt -> /mnt/val.txt; it is the same (3 pictures, 3 boxes)")
    (line,) = check_data(before, data, sources, {"val": "/a/val.txt"}, "runs/a", 8)  # a list whose pictures were moved
    assert "other pictures' folder in /a/val.txt; it is the same" in line


def test_moved_data_of_earlier_checkpoints_is_refused():
    sources, data, paths = {"val": Listed(moved_records())}, {"val": fingerprint(moved_records())}, {"val": "/mnt/val.txt"}
    earlier = {name: value for name, value in fingerprint(records()).items() if name != "relative"}
    config = {"data": {"val": "/a/val.txt"}}
    with pytest.raises(
        InputError, match=r"or the data has moved, .*: put it back where it was; put it back as it was to resume"
    ):
        check_data({"data": {"val": earlier}, "config": config}, data, sources, paths, "runs/a", 8)
    with pytest.raises(InputError, match=r"it is read from /mnt/val\.txt, not from /a/val\.txt"):  # before there were any
        check_data({"config": config}, data, sources, paths, "runs/a", 8)
