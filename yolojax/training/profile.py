"""A trace of some training steps, for TensorBoard and Perfetto."""

import jax

# The first steps compile, and fill the queues between host and devices.
FIRST = 5


def traced(items, steps, folder, wait, say):
    """Yields the items of a training loop, one a step, and traces `steps` of these steps.

    The trace begins after the first few steps of the process, and ends early where the items do.

    Args:
        items: iterable.
        steps: how many steps to trace; 0: none.
        folder: where the trace goes.
        wait: called without arguments; returns when the devices have done all they were given.
        say: called with a line for people.
    """
    count, tracing = 0, False
    try:
        for count, item in enumerate(items):
            if steps and count == FIRST:
                wait()
                jax.profiler.start_trace(folder, create_perfetto_trace=True)
                tracing = True
            if tracing and count == FIRST + steps:
                tracing = False
                _stop(wait, folder, steps, say)
            yield item
    finally:
        if tracing:
            _stop(wait, folder, count + 1 - FIRST, say)
        elif steps and count < FIRST:
            say(f"--profile: no trace, because the run had no more than {FIRST} steps to make")


def _stop(wait, folder, steps, say):
    wait()
    jax.profiler.stop_trace()
    say(
        f"--profile: a trace of {steps} steps is in {folder}: perfetto_trace.json.gz opens in https://ui.perfetto.dev, the "
        "folder in TensorBoard (pip install tensorboard xprof)"
    )
