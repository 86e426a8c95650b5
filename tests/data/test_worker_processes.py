"""Samples of processes are those of threads; and however something ends, it ends as one clear error, and nothing remains."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.in_processes import Faulty, Locked, marked
from tests.helpers.text_list import GRID, GRIDS, assert_same, relist
from yolojax.config import checked
from yolojax.data import worker_processes
from yolojax.data.images import write_image
from yolojax.data.pipeline import train_batches
from yolojax.data.source import UnreadablePicture
from yolojax.data.sources import open_split
from yolojax.data.worker_processes import batch_bytes, empty_batch, samples_at_once
from yolojax.errors import InputError
from yolojax.parts import Parts


def by_processes(source, config, grids, *steps, processes=2, **options):
    """The batches of steps by threads and by processes."""
    with contextlib.closing(train_batches(source, config, grids, *steps, **options)) as batches:
        threads = list(batches)
    config.data.processes = processes
    return threads, list(train_batches(source, config, grids, *steps, **options))


def workers():
    """The worker processes of this process."""
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "worker_processes import serve" in line]


def test_samples_are_those_of_threads_whatever_is_done_to_them(config):
    """All augmentation, mosaics and mixup, several sizes, JPEG and PNG, a picture that is passed over, and own functions."""
    noise = np.random.default_rng(1).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    path = config.data.train.replace("list.txt", "photo.jpg")
    write_image(path, noise)
    with open(config.data.train, "a") as file:
        file.write("photo.jpg 10,10,60,50,2\nmissing.jpg 10,10,60,50,2\n")
    for name in config.data.augment.__slots__:
        if name.endswith("_probability"):
            setattr(config.data.augment, name, 0.5)
    config.data.augment.mix_off_epochs, config.data.on_unreadable = 0.0, "skip"
    config.data.augment.more = ("tests.helpers.in_processes:marked",)
    config.data.augment.options = {"program": os.getpid()}
    config.loss.assign_rule = "tests.helpers.in_processes:rule"
    config.train.batch_size = 5
    threads, processes = by_processes(open_split(config, "train"), config, GRIDS, 3, 9)
    assert_same(processes, threads)
    assert len({batch.images.shape for batch, _ in threads}) > 1 and threads[0][0].targets.slots.shape == (5, 5, 5)
    assert sum(counts["unreadable"] for _, counts in threads) > 0
    assert not workers()


def test_rows_and_pictures_in_floats(config):
    config.data.fit = "darknet_letterbox"
    threads, processes = by_processes(open_split(config, "train"), config, [GRID], 0, 3, rows=[0, 2], processes=1)
    assert_same(processes, threads)
    assert threads[0][0].images.dtype == np.float32 and len(threads[0][0].images) == 2


def test_digits_and_parts_given_as_objects(digits_config):
    digits_config.data.augment.more = ("tests.helpers.in_processes:marked",)
    digits_config.data.augment.options = {"program": os.getpid()}
    parts = Parts(augment=marked, callbacks=lambda event: None)  # what samples do not need may be anything
    threads, processes = by_processes(open_split(digits_config, "train"), digits_config, [GRID], 0, 4, processes=1, parts=parts)
    assert_same(processes, threads)


def test_a_batch_is_not_written_again(config):
    config.data.processes, source = 1, open_split(config, "train")
    batches = train_batches(source, config, [GRID], 0, 8)
    first, _ = next(batches)
    before = first.images.copy()
    assert len(list(batches)) == 7
    np.testing.assert_array_equal(first.images, before)
    assert first.images.flags.owndata and first.images.flags.writeable


def test_the_layout_of_shared_memory():
    forms = (((4, 6, 3), np.dtype(np.uint8)), ((5, 4), np.dtype(np.float32)), ((5,), np.dtype(np.int32)))
    forms += (((5, 4), np.dtype(np.int32)), ((5, 2), np.dtype(bool)))
    memory = bytearray(batch_bytes(forms, 3))
    batch = empty_batch(forms, 3, memory)
    arrays = [batch.images, *batch.targets]
    assert [(array.shape[1:], array.dtype) for array in arrays] == list(forms)
    for value, array in enumerate(arrays):
        array[:] = value
    for value, array in enumerate(arrays):  # none was written over by a later one
        assert (array == value).all() or array.dtype == bool
        assert array.__array_interface__["data"][0] % 4 == 0


@pytest.mark.parametrize("rows, processes, expected", [(64, 16, 4), (8, 2, 4), (64, 2, 8), (3, 16, 1), (9, 2, 5)])
def test_samples_at_once(rows, processes, expected):
    assert samples_at_once(rows, processes) == expected


def test_an_unreadable_picture_is_the_same_error(config):
    config.data.processes = 1
    with open(config.data.train.replace("list.txt", "4.png"), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\nno more")
    batches = train_batches(open_split(config, "train"), config, [GRID], 0, 3)
    with pytest.raises(UnreadablePicture, match=rf"^{re.escape(config.data.train)}:5: .*4\.png: .*damaged"):
        list(batches)
    assert list(batches) == [] and not workers()
    relist(config, "10,10,20,20,1 160,120,190,150,0")
    with pytest.raises(InputError, match=r"list\.txt:1: box 160,120,190,150 lies mostly outside .*alone\.png") as caught:
        next(train_batches(open_split(config, "train"), config, [GRID], 0, 1))
    assert type(caught.value) is InputError


@pytest.mark.parametrize(
    "fault, kind, message",
    [
        ("finds nothing", KeyError, "nothing there"),
        ("raises", RuntimeError, "TwoArguments: fire and water"),
        ("killed", InputError, r"config\.data\.processes: a process .* was ended by SIGKILL; .* set fewer"),
        ("exits", InputError, r"config\.data\.processes: a process .* has ended with status 3"),
    ],
)
def test_a_fault_in_a_process(config, fault, kind, message):
    config.data.processes = 1
    batches = train_batches(Faulty(fault), config, [GRID], 0, 4)
    with pytest.raises(kind, match=message) as caught:
        list(batches)
    if kind is not InputError:
        assert "in_processes.py" in caught.value.__notes__[0]  # where it was raised
    assert list(batches) == [] and not workers()


def test_what_cannot_be_sent_is_refused_before_anything_is_made(config, monkeypatch):
    config.data.processes, source = 1, open_split(config, "train")
    config.data.augment.more = ("<lambda of here>",)
    with pytest.raises(
        InputError, match=r"config\.data\.processes: .* cannot be sent to another process \(.*set 0 for threads"
    ):
        next(train_batches(source, config, [GRID], 0, 1, parts=Parts(augment=lambda rng, example: example)))
    with pytest.raises(
        InputError, match=r"cannot be sent to another process \(TypeError: cannot pickle '_thread.lock' object\)"
    ):
        next(train_batches(Locked(), config, [GRID], 0, 1))
    monkeypatch.setitem(sys.modules, "only_here", types.ModuleType("only_here"))
    exec("def own(rng, example):\n    return example", vars(sys.modules["only_here"]))
    with pytest.raises(
        InputError, match=r"cannot be made in another process \(ModuleNotFoundError: No module named 'only_here'"
    ):
        next(train_batches(source, config, [GRID], 0, 1, parts=Parts(augment=sys.modules["only_here"].own)))
    assert not workers()


def test_the_field_refuses_a_cache(config):
    config.data.processes, config.data.cache_gib = 2, 1.0
    with pytest.raises(InputError, match=r"config\.data\.cache_gib must be 0 with config\.data\.processes"):
        checked(config)
    config.data.cache_gib, config.data.processes = 0.0, -1
    with pytest.raises(InputError, match=r"config\.data\.processes.* at least 0"):
        checked(config)


def test_a_source_that_keeps_pictures_gives_the_same_samples(config):
    config.data.cache_gib = 0.1
    threads, processes = by_processes(open_split(config, "train"), config, [GRID], 0, 3, processes=1)
    assert_same(processes, threads)


def test_memory_or_processes_that_cannot_be_had(config, monkeypatch):
    config.data.processes, source = 2, open_split(config, "train")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    for place, name, message in (
        (
            os,
            "posix_fallocate",
            r"^config\.data\.processes: 0 MiB of shared memory for each process cannot be had: No space left",
        ),
        (os, "memfd_create", r"^config\.data\.processes: 0 MiB of shared memory .*; set fewer processes, or 0 for threads"),
        (worker_processes.subprocess, "Popen", r"^config\.data\.processes: a process cannot be started: No space left"),
    ):
        open_before = len(os.listdir("/proc/self/fd"))
        with monkeypatch.context() as patch, pytest.raises(InputError, match=message):
            patch.setattr(place, name, refuse)
            next(train_batches(source, config, [GRID], 0, 1))
        assert len(os.listdir("/proc/self/fd")) == open_before


def test_where_a_file_in_memory_and_signals_do_not_exist(config, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr(os, "posix_fallocate")
    threads, processes = by_processes(open_split(config, "train"), config, [GRID], 0, 2, processes=1)
    assert_same(processes, threads)
    monkeypatch.delattr(signal, "pthread_sigmask")
    with pytest.raises(InputError, match=r"config\.data\.processes: processes need Linux or macOS"):
        next(train_batches(open_split(config, "train"), config, [GRID], 0, 1))


# Without `if __name__ == "__main__"`: a worker must not run it again.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell starts the tests in the background
from yolojax.config import from_dict
from yolojax.data.pipeline import train_batches
from yolojax.data.sources import open_split
from yolojax.grid import AnchorGrid
data = {"source": "digits", "processes": 1, "size": [32, 32]}
config = from_dict({"data": data})
grid = AnchorGrid((32, 32), (16, 32), (((6, 8),), ((30, 24),)))
for number, _ in enumerate(train_batches(open_split(config, "train"), config, [grid], 0, 10**6)):
    if not number:
        print("made", flush=True)
"""


def pids_with(variable):
    """The processes that have a variable in their environment."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file, open(f"/proc/{name}/stat") as stat:
            if variable.encode() in file.read() and stat.read().rpartition(")")[2].split()[0] != "Z":
                found.append(int(name))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
@pytest.mark.parametrize("number, to_all", [(signal.SIGKILL, False), (signal.SIGINT, True)], ids=["killed", "Ctrl-C"])
def test_nothing_outlives_the_program(tmp_path, number, to_all):
    (tmp_path / "program.py").write_text(PROGRAM)
    mark = f"YOLOJAX_TEST_MARK={tmp_path}"
    before = set(os.listdir("/dev/shm"))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "YOLOJAX_TEST_MARK": str(tmp_path)}
    program = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"], env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout and program.stdout.readline() == "made\n"
    assert len(pids_with(mark)) == 2
    (os.killpg if to_all else os.kill)(program.pid, number)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == -number
    assert errors.count("Traceback") == to_all and "Error" not in errors
    deadline = time.monotonic() + 60
    while pids_with(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert pids_with(mark) == [] and set(os.listdir("/dev/shm")) <= before
