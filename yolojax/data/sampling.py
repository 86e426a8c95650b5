"""Which pictures, at which size, make up a step of training: functions of seed, epoch and step that keep no state."""

import functools

import numpy as np

# They keep the streams of random numbers apart that share a seed.
ORDER, AUGMENT, SCENE, SIZE = range(4)


def sampler(seed, batch_size, length, weights=None):
    """The function of a step, counted from 0, to the samples that make it up: [(epoch, index), ...], `batch_size` of them.

    An epoch is `length` samples in an order that is a function of (seed, epoch); a batch may reach over its end. Without
    weights it shows every picture once, as index i. With weights it shows picture i `length * weights[i] / sum(weights)` times,
    rounded down or up at random (systematic sampling), as the indices i, i + length, i + 2 * length, ...

    Args:
        seed: integer.
        batch_size: samples a step.
        length: number of pictures.
        weights: (length,) positive, or None.
    """

    @functools.lru_cache(maxsize=2)
    def order(epoch):
        rng = np.random.default_rng([seed, ORDER, epoch])
        pictures = rng.permutation(length)
        if weights is None:
            return pictures
        ends = np.cumsum(weights[pictures], dtype=np.float64) * (length / np.sum(weights, dtype=np.float64))
        ends[-1] = length
        times = np.diff(np.floor(ends + rng.random()), prepend=0).astype(int)
        showing = np.arange(length) - np.repeat(np.cumsum(times) - times, times)
        return rng.permutation(np.repeat(pictures, times) + length * showing)

    def samples(step):
        positions = range(step * batch_size, (step + 1) * batch_size)
        return [(p // length, int(order(p // length)[p % length])) for p in positions]

    return samples


def step_grid(seed, step, grids):
    """The one of several AnchorGrids, each of an input size, that a step trains on (multi-scale training).

    Redmon and Farhadi 2017, arXiv:1612.08242, section 2, who draw a size every 10 steps; here every step has its own.
    """
    return grids[0] if len(grids) == 1 else grids[np.random.default_rng([seed, SIZE, step]).integers(len(grids))]


def repeat_factors(class_lists, threshold):
    """How often a picture should be shown for the sake of its rarest class.

    A class in a share f of the pictures has the factor max(1, sqrt(threshold / f)), a picture the largest of its classes (Gupta
    et al. 2019, arXiv:1908.03195, appendix B.2).

    Args:
        class_lists: for each picture its classes, (n,) integers.
        threshold: share of the pictures, 0..1, under which a class is rare.

    Returns:
        (pictures,) float64, at least 1.
    """
    present = [np.unique(classes) for classes in class_lists]
    pictures = np.bincount(np.concatenate([np.zeros(0, int), *present]))
    factors = np.sqrt(np.maximum(1, threshold * len(present) / np.maximum(pictures, 1)))
    return np.array([factors[classes].max(initial=1) for classes in present])


def class_balanced_weights(class_lists):
    """Weights by which every class is drawn equally often: first a class, then one of the pictures that show it.

    Pictures without boxes count as a class of their own (Shen et al. 2016, arXiv:1512.05830, section 3.3).

    Args:
        class_lists: for each picture its classes, (n,) integers.

    Returns:
        (pictures,) float64, of sum 1.
    """
    background = 1 + max((int(classes.max(initial=-1)) for classes in class_lists), default=-1)
    present = [np.unique(classes) if len(classes) else np.array([background]) for classes in class_lists]
    pictures = np.bincount(np.concatenate(present))
    shares = 1 / (np.maximum(pictures, 1) * np.count_nonzero(pictures))
    return np.array([shares[classes].sum() for classes in present])
