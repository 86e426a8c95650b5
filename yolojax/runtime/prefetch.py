"""Prefetching: the next images are read, or the next batches put onto the devices, while the devices work."""

import collections
import concurrent.futures
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jax.sharding import Sharding

from yolojax.errors import InputError
from yolojax.runtime.devices import make_mesh, put, shardings
from yolojax.runtime.threads import thread_pool, worker_count
from yolojax.runtime.timing import timed

# One batch is computed while another is letterboxed, or its results are fetched.
BATCHES_AT_ONCE = 2
# In eager mode, images that follow each other within this many seconds share a batch.
GRACE = 0.05
# A thread that waits longer than this, in seconds, for a line or frame that never comes is left to end with the program.
PATIENCE = 2.0
# Decoded images that may be in memory; one more may always be read, however large it is.
BYTES_AT_ONCE = 1 << 29

Item = TypeVar("Item")
Detected = TypeVar("Detected")
Note = TypeVar("Note")
Tree = TypeVar("Tree")


def detect_prefetched(
    detect: Callable[[list[np.ndarray]], Sequence[Detected]],
    read: Callable[[Item], np.ndarray],
    items: Iterable[Item],
    *,
    batch: int,
    eager: bool = False,
    waited: MutableMapping[str, Any] | None = None,
) -> Generator[tuple[Item, np.ndarray, Detected] | tuple[Item, InputError, None], None, None]:
    """Detects objects in a stream of images, and reads the next images meanwhile.

    One thread takes the items from their iterator, a pool of threads reads them, and two threads detect. At most four batches
    are in memory, or, of large images, `BYTES_AT_ONCE` and as many more as there are threads that read; what the consumer keeps
    is not counted. When the consumer closes the generator early, the threads end and the
    iterator of the items is closed. An exception that this iterator raises is raised after the results of the items before.

    Args:
        detect: function from a list of images to a list of detections; called by two threads at once.
        read: function from an item to its image, (H, W, 3) uint8 RGB; called by many threads at once.
        items: the items, perhaps endless.
        batch: the number of images that `detect` is given at once.
        eager: for items that arrive slowly: images are detected as they arrive, without waiting for a full batch.
        waited: a dict with entries "reading" and "network", to which the seconds spent waiting for each are added.

    Yields:
        (item, image, detection) for each item, in order; (item, InputError, None) if `read` raises an InputError.
    """
    waited = collections.Counter() if waited is None else waited
    readers = thread_pool(worker_count(), "yolojax-read")
    network = concurrent.futures.ThreadPoolExecutor(BATCHES_AT_ONCE, "yolojax-detect")
    reading, stopped, running = queue.Queue(2 * batch), threading.Event(), collections.deque()
    room = _Room(BYTES_AT_ONCE)
    feeder = threading.Thread(
        target=_feed, args=(items, read, readers, reading, stopped, room), name="yolojax-feed", daemon=True
    )
    feeder.start()

    def oldest_batch():
        group, future = running.popleft()
        with timed(waited, "network"):
            detections = iter(future.result())
        group.reverse()
        while group:
            item, image = group.pop()
            if isinstance(image, InputError):
                yield item, image, None
            else:
                yield item, image, next(detections)
                room.leave(image.nbytes)

    try:
        ended, error = False, None
        while not ended:
            while running and (len(running) == BATCHES_AT_ONCE or ((eager or room.full()) and reading.empty())):
                yield from oldest_batch()
            with timed(waited, "reading"):
                group, ended, error = _next_group(reading, batch, eager, room)
            if group:
                future = network.submit(detect, [image for _, image in group if not isinstance(image, InputError)])
                running.append((group, future))
        while running:
            yield from oldest_batch()
        if error:
            raise error
    finally:
        stopped.set()
        room.leave(room.taken)
        feeder.join(PATIENCE)
        readers.shutdown(wait=True, cancel_futures=True)
        network.shutdown(wait=True, cancel_futures=True)


def _feed(
    items: Iterable[Item],
    read: Callable[[Item], np.ndarray],
    readers: concurrent.futures.Executor,
    reading: queue.Queue,
    stopped: threading.Event,
    room: "_Room",
) -> None:
    """Puts (item, future image) into the queue for each item, and at the end (None, error or None)."""
    error, iterator = None, iter(items)
    try:
        for item in iterator:
            reserved = room.enter(stopped)
            if stopped.is_set():
                break
            _put(reading, (item, readers.submit(_read, read, item, room, reserved)), stopped)
    except Exception as raised:  # passed on to the consumer's thread
        error = raised
    finally:
        close = getattr(iterator, "close", None)
        if close:
            close()
        _put(reading, (None, error), stopped)


def _put(reading: queue.Queue, value: Any, stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            return reading.put(value, timeout=0.05)
        except queue.Full:
            continue


def _read(read: Callable[[Item], np.ndarray], item: Item, room: "_Room", reserved: int) -> np.ndarray | InputError:
    taken = 0
    try:
        image = read(item)
        taken = 0 if isinstance(image, InputError) else image.nbytes
        return image
    except InputError as error:
        return error
    finally:
        room.correct(reserved, taken)


class _Room:
    """How many bytes of images are in memory or being read, and a wait until there is room for another.

    The size of an image is known when it has been read. Until then it counts as much as the largest of those before it, and the
    first as all the room there is.
    """

    def __init__(self, most: int) -> None:
        self.taken = 0
        self._most = self._expected = most
        self._first, self._waiting = True, False
        self._changed = threading.Condition()

    def enter(self, stopped: threading.Event) -> int:
        """Waits for room for one image, and returns the bytes that are reserved for it."""
        with self._changed:
            while self.taken and self.taken + self._expected > self._most and not stopped.is_set():
                self._waiting = True
                self._changed.wait(0.05)
            self._waiting = False
            self.taken += self._expected
            return self._expected

    def correct(self, reserved: int, taken: int) -> None:
        """Replaces what was reserved by what the image takes."""
        with self._changed:
            if taken:
                # One huge image among small ones is soon forgotten.
                self._expected = max(taken, 0 if self._first else self._expected // 2)
                self._first = False
            self.taken += taken - reserved
            self._changed.notify_all()

    def leave(self, taken: int) -> None:
        """Gives back the room of an image."""
        with self._changed:
            self.taken -= taken
            self._changed.notify_all()

    def full(self) -> bool:
        """Whether the next image has to wait until others have left."""
        return self._waiting and not self._first


def _next_group(
    reading: queue.Queue, batch: int, eager: bool, room: _Room
) -> tuple[list[tuple[Any, Any]], bool, Exception | None]:
    """Waits for the next images.

    Returns:
        group: [(item, image or InputError)].
        ended: whether these were the last ones.
        error: the exception that the iterator of the items has raised, if any.
    """
    group = []
    while len(group) < batch:
        try:
            item, future = reading.get(timeout=GRACE)
        except queue.Empty:
            # Without room for another image the next one comes only after those that are computed have left.
            if room.full() or (eager and group):
                break
            continue
        if not isinstance(future, concurrent.futures.Future):
            return [(item, future.result()) for item, future in group], True, future
        group.append((item, future))
    return [(item, future.result()) for item, future in group], False, None


def prefetch_to_devices(batches: Iterable[tuple[Any, Note]], sharding: Sharding, ahead: int = 1) -> Iterator[tuple[Any, Note]]:
    """Puts host batches onto the devices before they are needed; the transfers run while the devices compute.

    Args:
        batches: (pytree of NumPy arrays, note) for each batch; the arrays have the rows of `local_rows`.
        sharding: the sharding of every array.
        ahead: the number of batches that wait on the devices.

    Yields:
        (pytree of device arrays, note) for each batch.
    """
    waiting = collections.deque()
    for batch, note in batches:
        waiting.append((put(batch, sharding), note))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def feed(batches: Iterable[Tree], sharding: Sharding | None = None, *, ahead: int = 1) -> Iterator[Tree]:
    """Puts batches onto the devices one step ahead of the loop that uses them.

    The next batch is on its way while the devices compute: a call of a compiled function returns before its result is there.
    For the same reason a loop that never waits for a result queues up batches on the devices; wait for the one before the last.

    Args:
        batches: pytrees of NumPy arrays; every array has the rows of a batch as its first axis (with several processes, the
            rows of this process, see `runtime.devices.local_rows`).
        sharding: the sharding of every array; None: the rows are split over all devices.
        ahead: the number of batches that wait on the devices.

    Yields:
        The same pytrees, of device arrays.

    Raises:
        ValueError: a number of rows that the devices cannot share evenly.
    """
    sharding = sharding or shardings(make_mesh())[1]
    for batch, _ in prefetch_to_devices(((batch, None) for batch in batches), sharding, ahead):
        yield batch
