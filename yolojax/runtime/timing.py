"""Seconds by stage."""

import time


class timed:
    """Adds the seconds of a block to an entry of a dict: `with timed(waited, "reading"): ...`."""

    def __init__(self, seconds, name):
        self._seconds, self._name = seconds, name

    def __enter__(self):
        self._began = time.perf_counter()

    def __exit__(self, *_):
        self._seconds[self._name] += time.perf_counter() - self._began
