"""A train.py in which something goes wrong: python -m tests.faults.interposed FAULT ARGUMENT -- FLAGS OF train.py.

The fault is put in before the program is loaded; the program itself is the user's.
"""

import os
import runpy
import sys
import time

import numpy as np


def nan_at(steps):
    """The boxes of the batches of these steps, as 3,7, hold NaN."""
    from yolojax.data import pipeline

    wanted = set(map(int, steps.split(",")))
    batches = pipeline.train_batches

    def train_batches(source, config, grids, start_step, *rest):
        for step, (batch, counts) in enumerate(batches(source, config, grids, start_step, *rest), start_step + 1):
            if step in wanted:
                boxes = np.where(batch.targets.boxes > 0, np.nan, batch.targets.boxes).astype(np.float32)
                batch = batch._replace(targets=batch.targets._replace(boxes=boxes))
            yield batch, counts

    pipeline.train_batches = train_batches


def thread_raises(message):
    """The fifth augmentation raises an error that nobody foresaw."""
    from yolojax.data import sample

    augment, calls = sample.augment_into, []

    def failing(*arguments, **options):
        calls.append(None)
        if len(calls) == 5:
            raise RuntimeError(message)
        return augment(*arguments, **options)

    sample.augment_into = failing


def clock_back(seconds):
    """From the tenth look at it on, the wall clock is so many seconds in the past."""
    now, looks = time.time, []

    def time_set_back():
        looks.append(None)
        return now() - (float(seconds) if len(looks) > 10 else 0)

    time.time = time_set_back


def delete_at_step(argument):
    """STEP:PATH: the file is deleted when the batch of that step is made."""
    from yolojax.data import pipeline

    step, path = argument.split(":", 1)
    step_grid = pipeline.step_grid

    def deleting(seed, at, grids):
        if at >= int(step) and os.path.exists(path):
            os.unlink(path)
        return step_grid(seed, at, grids)

    pipeline.step_grid = deleting


def slow(seconds):
    """Every sample takes so many seconds longer, so that a signal finds the run at work."""
    from yolojax.data import pipeline

    sample = pipeline.train_sample

    def train_sample(*arguments):
        time.sleep(float(seconds))
        return sample(*arguments)

    pipeline.train_sample = train_sample


def held(path):
    """Before its eleventh step the run waits until the file is there."""
    from yolojax.training import loop

    feed = loop.prefetch_to_devices

    def held_feed(*arguments):
        for step, batch in enumerate(feed(*arguments), start=1):
            while step > 10 and not os.path.exists(path):
                time.sleep(0.01)
            yield batch

    loop.prefetch_to_devices = held_feed


def places(path):
    """No fault: the file has a line for each place that the run comes to, "training" one for each step."""
    from yolojax.training import loop

    def say(place):
        with open(path, "a") as file:
            file.write(f"{place}\n")

    def said(place, function):
        def call(*arguments, **named):
            say(place)
            try:
                return function(*arguments, **named)
            finally:
                say("training" if place == "evaluating" else "ending")

        return call

    feed = loop.prefetch_to_devices

    def said_feed(*arguments, **named):
        for batch in feed(*arguments, **named):
            say("training")
            yield batch

    loop.prefetch_to_devices = said_feed
    loop.evaluate = said("evaluating", loop.evaluate)
    loop.write_evaluation = said("reporting", loop.write_evaluation)


FAULTS = {fault.__name__: fault for fault in (nan_at, thread_raises, clock_back, delete_at_step, slow, held, places)}

if __name__ == "__main__":
    fault, argument, separator, *flags = sys.argv[1:]
    assert separator == "--"
    FAULTS[fault](argument)
    sys.argv = ["train.py", *flags]
    runpy.run_path("train.py", run_name="__main__")
