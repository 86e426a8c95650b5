"""Training samples made by processes of their own, which do not share Python's lock (`config.data.processes`).

A worker is a new Python that runs `serve`: never a copy of the training program, which has threads, and without its main
module, so that it imports no JAX. It gets the numbers of samples through a pipe, makes them, and writes images and targets into
memory that it shares with the program, from where a thread copies them to their rows of a batch. So a batch belongs to whoever
gets it, and the memory can be written again at once.

Nothing can be left behind: the memory has no name, and a worker ends when its pipe is closed, however the program ends.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from typing import Any

import numpy as np

from yolojax.data.batch import Batch
from yolojax.data.sample import Sample
from yolojax.errors import InputError, first_line
from yolojax.runtime.allocator import keep_freed_memory
from yolojax.runtime.opencv import cv2
from yolojax.targets import Targets

COUNTS = ("dropped_small", "dropped_excess", "unreadable")
"""The attributes of a `Sample` that are counted over a batch."""
MOST_AT_ONCE = 8
"""The most samples that a worker is asked for at once."""

Forms = tuple[tuple[tuple[int, ...], np.dtype], ...]
"""The shape and dtype of each array of a sample."""
Make = Callable[[int, int, int], Sample]
Fill = Callable[[int, Sequence[tuple[int, int]], Batch, int], tuple[Batch, dict[str, int]]]

_FIELD = "config.data.processes"
# Whole lines of the processor's cache: no two arrays share one.
_ALIGNMENT = 64
# Seconds that a worker may take to end once its pipe is closed.
_PATIENCE = 5.0


def samples_at_once(rows: int, processes: int) -> int:
    """How many of the `rows` samples of a batch a worker is asked for at once: its share, or `MOST_AT_ONCE`."""
    return min(MOST_AT_ONCE, -(-rows // processes))


def forms_of(sample: Sample) -> Forms:
    """The shapes and dtypes of a sample's image and targets."""
    return tuple((array.shape, array.dtype) for array in (sample.image, *sample.targets))


def empty_batch(forms: Forms, rows: int, memory: mmap.mmap | None = None) -> Batch:
    """Make the arrays of a batch, with whatever their memory holds.

    Args:
        forms: what `forms_of` says of each of its samples.
        rows: the number of images.
        memory: where the arrays lie one after the other, in `batch_bytes`; None: in memory of their own.
    """
    arrays = []
    for number, (shape, dtype) in enumerate(forms):
        shape = rows, *shape
        place = batch_bytes(forms[:number], rows)
        arrays.append(np.empty(shape, dtype) if memory is None else np.ndarray(shape, dtype, memory, place))
    return Batch(arrays[0], Targets(*arrays[1:]))


def batch_bytes(forms: Forms, rows: int) -> int:
    """The number of bytes in which `empty_batch` lays its arrays."""
    return sum(-(-rows * math.prod(shape) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT for shape, dtype in forms)


@contextlib.contextmanager
def sample_processes(processes: int, make: Make, sizes: Sequence[Forms]) -> Iterator[Fill]:
    """Run worker processes that make samples; they end with the context.

    Args:
        processes: their number.
        make: function (k, epoch, index) -> Sample of input size number k. It is pickled.
        sizes: for each input size the shapes and dtypes of its samples.

    Yields:
        A function (k, [(epoch, index), ...], batch, first): an idle worker makes these samples, at most `MOST_AT_ONCE`, and
        they are copied to the rows of the batch from `first` on. It returns the batch and the sums of `COUNTS`, and raises what
        `make` raises. At most `processes` threads call it at once.

    Raises:
        InputError: the processes or their memory cannot be had, `make` cannot be sent to them, or one of them has ended.
    """
    if not hasattr(signal, "pthread_sigmask"):
        raise InputError(f"{_FIELD}: processes need Linux or macOS; set 0 for threads")
    try:
        setup = pickle.dumps((make, sizes), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever an object of the user's raises
        raise InputError(_cannot_travel("sent to", error)) from error
    workers: list[_Worker] = []
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()

    def fill(size: int, samples: Sequence[tuple[int, int]], batch: Batch, first: int) -> tuple[Batch, dict[str, int]]:
        worker = idle.get()
        try:
            counts = worker.answer((size, samples))
            made, rows = worker.batches[size], slice(first, first + len(samples))
            for to, array in zip((batch.images, *batch.targets), (made.images, *made.targets), strict=True):
                to[rows] = array[: len(samples)]
        finally:
            idle.put(worker)
        return batch, dict(zip(COUNTS, counts, strict=True))

    try:
        for _ in range(processes):
            workers.append(_Worker(sizes))
        for worker in workers:
            worker.send(setup)
        for worker in workers:
            worker.receive()
            idle.put(worker)
        yield fill
    finally:
        for worker in workers:
            worker.connection.close()
        for worker in workers:
            worker.wait()


class _Worker:
    """A worker process, the pipe to it, and the memory that it shares with this process.

    Attributes:
        connection: the pipe.
        batches: for each input size the arrays into which it writes samples.
    """

    def __init__(self, sizes: Sequence[Forms]):
        file = _shared_file(max(batch_bytes(forms, MOST_AT_ONCE) for forms in sizes))
        self.connection, theirs = Pipe()
        try:
            memory = mmap.mmap(file, 0)
            self.batches = [empty_batch(forms, MOST_AT_ONCE, memory) for forms in sizes]
            # Modules are found where this program finds them.
            code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({theirs.fileno()}, {file})"
            with _stop_signals_blocked():
                self._process = subprocess.Popen(
                    [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(), file)
                )
        except OSError as error:
            self.connection.close()
            raise InputError(f"{_FIELD}: a process cannot be started: {error.strerror}; set fewer, or 0 for threads") from error
        finally:
            theirs.close()
            os.close(file)

    def answer(self, wanted: tuple[int, Sequence[tuple[int, int]]]) -> Any:
        """Ask for samples, and wait for the sums of their `COUNTS`."""
        self.send(pickle.dumps(wanted))
        return self.receive()

    def send(self, message: bytes) -> None:
        """Send a message."""
        try:
            self.connection.send_bytes(message)
        except OSError:
            raise InputError(self._end()) from None

    def receive(self) -> Any:
        """Wait for an answer; an exception is raised."""
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise InputError(self._end()) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self) -> None:
        """Wait for the end of the process, whose pipe is closed."""
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _end(self) -> str:
        """How the process has ended."""
        self.wait()
        status = self._process.returncode
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"has ended with status {status}"
        return (
            f"{_FIELD}: a process that makes training images {how}; if the system has ended it because memory is short, set "
            "fewer processes, or 0 for threads"
        )


@contextlib.contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """What is started within never sees the signals that stop a run: they may be sent to all of its processes, and then it
    still needs the samples on their way, and ends the workers itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _shared_file(size: int) -> int:
    """The descriptor of a file of `size` bytes in memory that has no name, so that nothing of it remains."""
    descriptor = None
    try:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("yolojax-samples")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.truncate(descriptor, size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)  # else memory that is short would end a process when it writes
    except OSError as error:
        if descriptor is not None:
            os.close(descriptor)
        raise InputError(
            f"{_FIELD}: {size / 2**20:.0f} MiB of shared memory for each process cannot be had: {error.strerror}; set fewer "
            "processes, or 0 for threads"
        ) from error
    return descriptor


def _cannot_travel(where: str, error: BaseException) -> str:
    return (
        f"{_FIELD}: the data source or a function of your own cannot be {where} another process "
        f"({type(error).__name__}: {first_line(error)}); give it a name in a module that can be imported, or set 0 for threads"
    )


def serve(pipe: int, file: int) -> None:
    """Make samples until the pipe is closed: what a worker process runs.

    Args:
        pipe: the descriptor of the pipe to the training program.
        file: that of the memory that both share.
    """
    cv2.setNumThreads(0)
    keep_freed_memory()  # a fifth of the time would go into zeroed pages for each picture
    memory, connection = mmap.mmap(file, 0), Connection(pipe)
    with contextlib.suppress(EOFError, OSError):  # the training has ended
        setup = connection.recv_bytes()
        try:
            make, sizes = pickle.loads(setup)
            batches = [empty_batch(forms, MOST_AT_ONCE, memory) for forms in sizes]
        except Exception as error:  # whatever a module of the user's raises
            return connection.send(InputError(_cannot_travel("made in", error)))
        connection.send(None)
        while True:
            size, samples = connection.recv()
            connection.send(_make(make, size, samples, batches[size]))


def _make(make: Make, size: int, samples: Sequence[tuple[int, int]], batch: Batch) -> tuple[int, ...] | Exception:
    """Make samples, write them into the first rows of a batch, and return the sums of `COUNTS`, or what went wrong."""
    counts = np.zeros(len(COUNTS), int)
    try:
        for row, (epoch, index) in enumerate(samples):
            sample = make(size, epoch, index)
            for array, value in zip((batch.images, *batch.targets), (sample.image, *sample.targets), strict=True):
                array[row] = value
            counts += [getattr(sample, name) for name in COUNTS]
    except Exception as error:  # it is raised in the training program
        return _portable(error)
    return tuple(counts.tolist())


def _portable(error: Exception) -> Exception:
    """An exception that can be pickled, with the traceback that a pickle leaves out where a user would need it."""
    if not isinstance(error, InputError):
        error.add_note("In a process that makes training images:\n" + "".join(traceback.format_exception(error)))
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:  # such as one whose arguments are not those of its class
        pass
    other = RuntimeError(f"{type(error).__name__}: {error}")
    other.__notes__ = error.__notes__
    return other
