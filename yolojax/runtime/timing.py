"""Seconds spent in each stage of a program."""

import time
from collections.abc import MutableMapping
from typing import Any


class timed:
    """Adds the seconds of a block to an entry of a dict: `with timed(waited, "reading"): ...`."""

    def __init__(self, seconds: MutableMapping[str, Any], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] += time.perf_counter() - self._began
