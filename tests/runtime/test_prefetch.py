"""Images through a detector in threads: order, errors, images as they arrive, bounded memory, and a clean end."""

import gc
import queue
import threading
import time

import jax
import numpy as np
import pytest

from yolojax.errors import InputError
from yolojax.runtime import prefetch
from yolojax.runtime.devices import make_mesh, shardings
from yolojax.runtime.prefetch import detect_prefetched, feed


def picture(number):
    return np.full((2, 2, 3), number, np.uint8)


def double(pictures):
    return [2 * int(image[0, 0, 0]) for image in pictures]


def own_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("yolojax-")]


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("count", [0, 1, 8, 29])
def test_every_item_comes_out_in_order(count, eager):
    sizes = []

    def detect(pictures):
        sizes.append(len(pictures))
        return double(pictures)

    def read(number):
        time.sleep(0.001 * (number % 3))  # the first to begin is not the first to end
        return picture(number)

    results = [(item, int(image[0, 0, 0]), detection) for item, image, detection in detect_prefetched(
        detect, read, iter(range(count)), batch=8, eager=eager
    )]  # fmt: skip
    assert results == [(n, n, 2 * n) for n in range(count)]
    if not eager:
        assert sorted(sizes) == sorted([8] * (count // 8) + [count % 8] * (count % 8 > 0))
    assert not own_threads()


def test_what_cannot_be_read_keeps_its_place():
    def read(number):
        if number % 3 == 1:
            raise InputError(f"no {number}")
        return picture(number)

    results = list(detect_prefetched(double, read, range(11), batch=4))
    assert [item for item, *_ in results] == list(range(11))
    for number, image, detection in results:
        if number % 3 == 1:
            assert isinstance(image, InputError) and str(image) == f"no {number}" and detection is None
        else:
            assert detection == 2 * number


def test_a_picture_is_handled_before_the_next_one_comes():
    coming, handled = queue.Queue(), []

    def work():
        for item, _, detection in detect_prefetched(double, picture, iter(coming.get, None), batch=8, eager=True):
            handled.append((item, detection))

    worker = threading.Thread(target=work)
    worker.start()
    for number in range(3):
        coming.put(number)
        until(lambda number=number: handled[number:] == [(number, 2 * number)])
    coming.put(None)
    worker.join(20)
    assert not worker.is_alive()


def test_only_a_few_batches_are_in_memory():
    taken = []

    def items():
        for number in range(200):
            taken.append(number)
            yield number

    for done, _ in enumerate(detect_prefetched(double, picture, items(), batch=4), start=1):
        time.sleep(0.002)  # a slow consumer
        # Two batches wait, one is gathered or handed out, two are computed; one item more waits for its place.
        assert len(taken) - done <= 5 * 4 + 1
    assert done == 200


def test_while_one_batch_is_computed_the_next_ones_are_read():
    read_while_busy, busy = threading.Event(), threading.Event()

    def detect(pictures):
        busy.set()
        assert read_while_busy.wait(20)
        return double(pictures)

    def read(number):
        if number >= 8 and busy.is_set():
            read_while_busy.set()
        return picture(number)

    def items():
        for number in range(16):
            if number == 8:
                assert busy.wait(20)
            yield number

    assert len(list(detect_prefetched(detect, read, items(), batch=8))) == 16


def test_an_error_of_the_items_comes_after_those_before_it():
    def items():
        yield from range(5)
        raise InputError("the sixth")

    seen = []
    with pytest.raises(InputError, match="the sixth"):
        for item, *_ in detect_prefetched(double, picture, items(), batch=2):
            seen.append(item)
    assert seen == [0, 1, 2, 3, 4] and not own_threads()


def test_an_error_of_the_detector_is_raised():
    def detect(pictures):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(detect_prefetched(detect, picture, iter(int, 1), batch=2))
    assert not own_threads()


def test_a_consumer_that_stops_ends_the_threads_and_closes_the_items():
    closed = threading.Event()

    def items():
        try:
            number = 0
            while True:
                yield number % 100
                number += 1
        finally:
            closed.set()

    results = detect_prefetched(double, picture, items(), batch=4)
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    results.close()
    assert closed.is_set() and not own_threads()


def test_where_the_time_went():
    waited = {"reading": 0, "network": 0}

    def slow(pictures):
        time.sleep(0.1)
        return double(pictures)

    list(detect_prefetched(slow, picture, range(8), batch=2, waited=waited))
    assert waited["network"] > 0.1 > 2 * waited["reading"]
    waited = {"reading": 0, "network": 0}

    def items():
        for number in range(8):
            time.sleep(0.04)
            yield number

    list(detect_prefetched(double, picture, items(), batch=2, waited=waited))
    assert waited["reading"] > 0.2 > 2 * waited["network"]


def host_batches(count, rows=8, taken=None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield {"images": np.full((rows, 2, 3), number, np.uint8), "classes": np.arange(rows) + number}


def test_feed_splits_the_rows_over_all_devices():
    batches = list(feed(host_batches(3)))
    for number, (batch, expected) in enumerate(zip(batches, host_batches(3), strict=True)):
        for name, array in batch.items():
            assert isinstance(array, jax.Array) and array.sharding == shardings(make_mesh())[1], number
            np.testing.assert_array_equal(array, expected[name])
    assert list(feed([])) == []


def test_feed_takes_a_sharding():
    first = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    ((images, targets),) = feed([(np.zeros((3, 4)), (np.ones(3),))], first)
    assert images.devices() == targets[0].devices() == {jax.devices()[0]}
    with pytest.raises(ValueError, match=r"divi\w+"):  # three rows for two devices, in JAX's own words
        list(feed(host_batches(1, rows=3), shardings(make_mesh(jax.devices()[:2]))[1]))


@pytest.mark.parametrize("ahead", [1, 2])
def test_feed_is_as_many_batches_ahead_as_it_should(ahead):
    taken = []
    for number, batch in enumerate(feed(host_batches(9, taken=taken), ahead=ahead)):
        assert int(batch["images"][0, 0, 0]) == number
        assert len(taken) == min(9, number + 1 + ahead)


def test_a_loop_that_ends_early_closes_the_batches():
    closed = []

    def batches():
        try:
            yield from host_batches(9)
        finally:
            closed.append(True)

    for _ in feed(batches()):
        break
    gc.collect()
    assert closed


@pytest.mark.parametrize("sizes", [[8] * 40, [1] * 10 + [40] + [1] * 10, [100] * 5, [0, 0, 8, 0, 8], [30, 1] * 10])
def test_decoded_images_are_bounded_by_their_bytes(monkeypatch, sizes):
    """Pictures of so many kB, 32 kB at once; one larger than that may be in memory alone."""
    monkeypatch.setattr(prefetch, "BYTES_AT_ONCE", 32_000)
    monkeypatch.setattr(prefetch, "worker_count", lambda: 2)
    alive, lock, most = set(), threading.Lock(), [0]

    def read(number):
        if not sizes[number]:
            raise InputError("not a picture")
        image = np.full((1, 1000 * sizes[number], 1), number, np.uint8)
        with lock:
            alive.add(number)
            most[0] = max(most[0], sum(sizes[place] for place in alive))
        return image

    for number, image, detection in detect_prefetched(double, read, range(len(sizes)), batch=8):
        assert isinstance(image, InputError) or detection == 2 * number
        alive.discard(number)
    # While two threads read, two pictures may be larger than those before them.
    assert most[0] <= 32 + 2 * max(sizes)
    assert not own_threads()
