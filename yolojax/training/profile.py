"""A trace of some training steps, for TensorBoard and Perfetto."""

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import jax

from yolojax.errors import first_line

# The first steps compile, and fill the queues between host and devices.
FIRST = 5
_FAILURES = (OSError, RuntimeError, ValueError)  # of the profiler, which is not worth a training

Item = TypeVar("Item")


def traced(
    items: Iterable[Item], steps: int, folder: str, wait: Callable[[], object], say: Callable[[str], object]
) -> Generator[Item, None, None]:
    """Yields the items of a training loop, one per step, and traces some of the steps.

    The trace begins after the first few steps of the process, and ends early if the items do. If it cannot be written, a line
    says so, and the training goes on.

    Args:
        items: what the steps are made of.
        steps: how many steps to trace; 0 for none.
        folder: where the trace is written.
        wait: called without arguments; returns once the devices have done all their work.
        say: called with a line to print.

    Yields:
        Each item.
    """
    count, tracing = 0, False
    try:
        for count, item in enumerate(items):
            if steps and count == FIRST:
                wait()
                try:
                    jax.profiler.start_trace(folder, create_perfetto_trace=True)
                    tracing = True
                except _FAILURES as error:
                    steps = 0
                    say(f"--profile: no trace is made, {folder} cannot be written: {first_line(error)}")
            if tracing and count == FIRST + steps:
                tracing = False
                _stop(wait, folder, steps, say)
            yield item
    finally:
        if tracing:
            _stop(wait, folder, count + 1 - FIRST, say)
        elif steps and count < FIRST:
            say(f"--profile: no trace, because the run had no more than {FIRST} steps left")


def _stop(wait, folder, steps, say):
    wait()
    try:
        jax.profiler.stop_trace()
    except _FAILURES as error:
        say(f"--profile: the trace in {folder} is not complete, it cannot be written: {first_line(error)}")
        return
    say(
        f"--profile: a trace of {steps} steps is in {folder}: open perfetto_trace.json.gz in https://ui.perfetto.dev, or the "
        "folder in TensorBoard (pip install tensorboard xprof)"
    )
