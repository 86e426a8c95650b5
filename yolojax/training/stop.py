"""Stopping by a signal, which all processes of a run do after the same step."""

import collections
import signal
import threading

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.runtime.devices import put, shardings
from yolojax.training.recorder import STEPS_IN_FLIGHT


class StopSignals:
    """While it is entered, the first SIGINT or SIGTERM is noted; a second one acts as usual.

    Of several processes each adds what it noted to a small sum on the devices after every step, and reads the sum of a step
    when that step has long been computed: so all learn of a signal after the same step, and no device waits.
    """

    def __init__(self, mesh):
        self._several = jax.process_count() > 1
        replicated, self._split = shardings(mesh)
        self._sum = jax.jit(lambda counts, noted: (jax.tree.map(jnp.sum, counts), noted.max()), out_shardings=replicated)
        self._sums = collections.deque()

    def __enter__(self):
        self._noted = self._agreed = 0
        self._before = {}
        # Python allows only the main thread to handle signals; elsewhere the program's own handling stays.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def share(self, counts):
        """Called after each step with {name: number of this process}; returns the sums over the processes."""
        if not self._several:
            return counts
        own = len(self._split.addressable_devices)
        rows = jax.tree.map(lambda number: np.array([number] + [0] * (own - 1), np.int32), (counts, self._noted))
        counts, noted = self._sum(*put(rows, self._split))
        self._sums.append(noted)
        return counts

    def signal(self, computed=False):
        """The signal that all processes know of, or 0; `computed` says that all steps up to now have been computed."""
        if not self._several:
            return self._noted
        while len(self._sums) > (0 if computed else STEPS_IN_FLIGHT):
            self._agreed = max(self._agreed, int(self._sums.popleft()))
        return self._agreed

    def leave(self):
        """Raises what ends the program."""
        # Several processes end alike, whichever of them had the signal.
        interrupted = self.signal() == signal.SIGINT and not self._several
        raise KeyboardInterrupt if interrupted else SystemExit(128 + self.signal())

    def _note(self, number, _):
        # Another one may come while this one is being noted.
        self._noted = self._noted or int(number)
        self._restore()

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(self, *_):
        self._restore()
