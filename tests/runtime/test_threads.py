"""Pools of threads that decode, draw and write images."""

import os
import threading

import pytest

from yolojax.runtime.opencv import cv2
from yolojax.runtime.threads import thread_pool, worker_count


@pytest.mark.parametrize(("cores", "workers"), [(None, 1), (1, 1), (5, 5), (64, 8)])
def test_as_many_workers_as_cores_up_to_eight(cores, workers, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert worker_count() == workers


def test_threads_have_the_pools_name_and_opencv_starts_none_in_them():
    gate = threading.Barrier(3)

    def look(_):
        gate.wait(timeout=60)  # so that every thread is started
        return threading.current_thread().name, cv2.getNumThreads()

    with thread_pool(3, "decode") as pool:
        seen = list(pool.map(look, range(3)))
    assert {name.rpartition("_")[0] for name, _ in seen} == {"decode"} and len(set(seen)) == 3
    assert {threads for _, threads in seen} == {1}
