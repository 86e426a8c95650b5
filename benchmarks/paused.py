"""A sample that takes time and no work: what `loader_cores.py` gives to worker processes. It imports as little as they need."""

import time


def paused_sample(sample, seconds, size, epoch, index):
    """The same sample as always, after a pause."""
    time.sleep(seconds)
    return sample
