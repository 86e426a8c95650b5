"""Pictures through a detector, the next ones read by threads while the device works."""

import collections
import concurrent.futures
import queue
import threading

from yolojax.errors import InputError
from yolojax.runtime.devices import put
from yolojax.runtime.threads import thread_pool, worker_count
from yolojax.runtime.timing import timed

# One batch is computed while another one is letterboxed, or its results are fetched.
BATCHES_AT_ONCE = 2
# Seconds: pictures that come so closely one after another share a batch, where they are handled as they come.
GRACE = 0.05
# Seconds: a thread that waits for a line or a frame that never comes is left to end with the program.
PATIENCE = 2.0


def detect_prefetched(detect, read, items, *, batch, eager=False, waited=None):
    """Yields (item, picture, detection) for each item, in order.

    A thread takes the items from their iterator, a pool reads them and two threads detect; at most four batches are in memory,
    those that the consumer keeps not counted. When the consumer stops early and closes the generator, the threads end and the
    iterator of the items is closed.

    Args:
        detect: function of a list of pictures to a list of detections; called by two threads at once.
        read: function of an item to its picture, (H, W, 3) uint8 RGB; called by many threads at once.
        items: iterable, perhaps endless.
        batch: how many pictures `detect` is given at once.
        eager: for items that come slowly: what is there is detected, without waiting until a batch is full.
        waited: a dict to whose "reading" and "network" the seconds are added that were spent waiting for either.

    Yields:
        (item, picture, detection); (item, InputError, None) for one that `read` cannot read.

    Raises:
        Whatever the iterator of the items raises, after the items before.
    """
    waited = collections.Counter() if waited is None else waited
    readers = thread_pool(worker_count(), "yolojax-read")
    network = concurrent.futures.ThreadPoolExecutor(BATCHES_AT_ONCE, "yolojax-detect")
    coming, stopped, running = queue.Queue(2 * batch), threading.Event(), collections.deque()
    feeder = threading.Thread(target=_feed, args=(items, read, readers, coming, stopped), name="yolojax-feed", daemon=True)
    feeder.start()

    def finished():
        group, found = running.popleft()
        with timed(waited, "network"):
            found = iter(found.result())
        for item, picture in group:
            yield item, picture, None if isinstance(picture, InputError) else next(found)

    try:
        ended = False
        while not ended:
            while running and (len(running) == BATCHES_AT_ONCE or (eager and coming.empty())):
                yield from finished()
            with timed(waited, "reading"):
                group, ended, error = _next_group(coming, batch, eager)
            if group:
                pictures = [picture for _, picture in group if not isinstance(picture, InputError)]
                running.append((group, network.submit(detect, pictures)))
        while running:
            yield from finished()
        if error:
            raise error
    finally:
        stopped.set()
        feeder.join(PATIENCE)
        readers.shutdown(wait=True, cancel_futures=True)
        network.shutdown(wait=True, cancel_futures=True)


def _feed(items, read, readers, coming, stopped):
    """Puts (item, future picture) for each item, and at the end (None, error or None)."""
    error, iterator = None, iter(items)
    try:
        for item in iterator:
            if stopped.is_set():
                break
            _put(coming, (item, readers.submit(_read, read, item)), stopped)
    except Exception as raised:  # handed over to the thread that asked for the pictures
        error = raised
    finally:
        if hasattr(iterator, "close"):
            iterator.close()
        _put(coming, (None, error), stopped)


def _put(coming, value, stopped):
    while not stopped.is_set():
        try:
            return coming.put(value, timeout=0.05)
        except queue.Full:
            continue


def _read(read, item):
    try:
        return read(item)
    except InputError as error:
        return error


def _next_group(coming, batch, eager):
    """([(item, picture or InputError)], whether that was the end, the error of the iterator)."""
    group = []
    while len(group) < batch:
        try:
            item, picture = coming.get(timeout=GRACE if eager and group else None)
        except queue.Empty:
            break
        if not isinstance(picture, concurrent.futures.Future):
            return [(item, future.result()) for item, future in group], True, picture
        group.append((item, picture))
    return [(item, future.result()) for item, future in group], False, None


def prefetch_to_devices(batches, sharding, ahead=1):
    """Puts host batches onto the devices, `ahead` of them before they are asked for.

    Args:
        batches: iterator of (pytree of NumPy arrays, anything); the arrays have the rows of `local_rows`.
        sharding: of every array.
        ahead: how many batches wait on the devices.

    Yields:
        (pytree of device arrays, the anything). The transfers run while the device computes.
    """
    waiting = collections.deque()
    for batch, note in batches:
        waiting.append((put(batch, sharding), note))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting
