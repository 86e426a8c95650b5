"""Stopping by a signal, at the same step in all processes of a run."""

import collections
import contextlib
import os
import signal
import threading
import time
from types import FrameType
from typing import Any, NoReturn, Self

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.runtime.devices import put, shardings
from yolojax.runtime.ending import HANGUP
from yolojax.training.recorder import STEPS_IN_FLIGHT

SAME_MOMENT = 0.5
"""Seconds after the first signal in which another one is part of the same wish, as when a whole group of processes is ended."""


def _stop_signals() -> list[int]:
    """The signals that stop a run. A run under nohup, which ignores the end of its terminal, goes on."""
    hangup = [] if HANGUP is None or signal.getsignal(HANGUP) is signal.SIG_IGN else [HANGUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


class StopSignals:
    """Inside its `with` block the first SIGINT, SIGTERM or SIGHUP is noted; a second one that comes later acts as usual.

    In a distributed run each process adds the signal it noted to a small sum on the devices after every step, and reads the
    sum of a step once that step has long been computed. So all processes learn of a signal after the same step, and no device
    waits.
    """

    def __init__(self, mesh: jax.sharding.Mesh) -> None:
        self._distributed = jax.process_count() > 1
        replicated, self._batch_sharding = shardings(mesh)
        self._sum = jax.jit(lambda counts, noted: (jax.tree.map(jnp.sum, counts), noted.max()), out_shardings=replicated)
        self._sums = collections.deque()

    def __enter__(self) -> Self:
        self._noted = self._agreed = 0
        self._noted_at = 0.0
        self._before: dict[int, Any] = {}
        self._arrivals: tuple[int, int] | None = None
        # Python lets only the main thread handle signals; in other threads the program's own handling remains.
        if threading.current_thread() is threading.main_thread():
            # Python calls the handlers of signals that come together in the order of their numbers. This pipe has them in the
            # order in which they came.
            self._arrivals = os.pipe()
            for end in self._arrivals:
                os.set_blocking(end, False)
            self._wakeup_before = signal.set_wakeup_fd(self._arrivals[1], warn_on_full_buffer=False)
            for number in _stop_signals():
                self._before[number] = signal.signal(number, self._note)
        return self

    def share(self, counts: dict[str, Any]) -> dict[str, Any]:
        """Adds up counts over the processes; to be called after each step.

        Args:
            counts: {name: integer of this process}.

        Returns:
            {name: sum over the processes}; in a distributed run scalars that may not be computed yet.
        """
        if not self._distributed:
            return counts
        devices = len(self._batch_sharding.addressable_devices)
        rows = jax.tree.map(lambda number: np.array([number] + [0] * (devices - 1), np.int32), (counts, self._noted))
        counts, noted = self._sum(*put(rows, self._batch_sharding))
        self._sums.append(noted)
        return counts

    def signal(self, computed: bool = False) -> int:
        """The number of the signal that all processes know of, or 0.

        Args:
            computed: whether all steps so far have been computed; if so, the signals noted up to now are read too.
        """
        if not self._distributed:
            return self._noted
        while len(self._sums) > (0 if computed else STEPS_IN_FLIGHT):
            self._agreed = max(self._agreed, int(self._sums.popleft()))
        return self._agreed

    def leave(self) -> NoReturn:
        """Ends the program.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after SIGTERM or SIGHUP; in a distributed run after any signal.
        """
        # All processes of a distributed run end in the same way, whichever of them received the signal.
        interrupted = self.signal() == signal.SIGINT and not self._distributed
        raise KeyboardInterrupt if interrupted else SystemExit(128 + self.signal())

    def _note(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not self._noted:
            self._noted, self._noted_at = self._first(number), now
        elif now - self._noted_at > SAME_MOMENT:
            self._restore()
            signal.raise_signal(number)

    def _first(self, number: int) -> int:
        """The signal that came first of those that wait to be handled, one of which is `number`."""
        came = b""
        if self._arrivals:
            with contextlib.suppress(BlockingIOError):
                came = os.read(self._arrivals[0], 1 << 12)
        return next((one for one in came if one in self._before), int(number))

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self._arrivals:
            signal.set_wakeup_fd(self._wakeup_before)
            for end in self._arrivals:
                os.close(end)
            self._arrivals = None
