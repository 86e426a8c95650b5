"""Which pictures make up a training step, and at which size: functions of seed, epoch and step that keep no state."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from yolojax.grid import AnchorGrid

# These keep apart the streams of random numbers that share a seed.
ORDER, AUGMENT, SCENE, SIZE = range(4)


def sampler(
    seed: int, batch_size: int, length: int, weights: np.ndarray | None = None
) -> Callable[[int], list[tuple[int, int]]]:
    """Make the function that says which samples make up a step.

    An epoch is `length` samples in an order that is a function of (seed, epoch); a batch may extend into the next epoch.
    Without weights it shows every picture once, as index i. With weights it shows picture i
    `length * weights[i] / sum(weights)` times, rounded down or up at random (systematic sampling), as the indices i,
    i + length, i + 2 * length, ...

    Args:
        seed: the seed of the orders.
        batch_size: the number of samples in a step.
        length: the number of pictures.
        weights: (length,) positive, or None.

    Returns:
        A function of a step, counted from 0, that returns its `batch_size` samples as (epoch, index).
    """

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> np.ndarray:
        rng = np.random.default_rng([seed, ORDER, epoch])
        pictures = rng.permutation(length)
        if weights is None:
            return pictures
        ends = np.cumsum(weights[pictures], dtype=np.float64) * (length / np.sum(weights, dtype=np.float64))
        ends[-1] = length
        times = np.diff(np.floor(ends + rng.random()), prepend=0).astype(int)
        showing = np.arange(length) - np.repeat(np.cumsum(times) - times, times)
        return rng.permutation(np.repeat(pictures, times) + length * showing)

    def samples(step: int) -> list[tuple[int, int]]:
        positions = range(step * batch_size, (step + 1) * batch_size)
        return [(p // length, int(order(p // length)[p % length])) for p in positions]

    return samples


def step_grid(seed: int, step: int, grids: Sequence[AnchorGrid]) -> AnchorGrid:
    """Choose the grid, and with it the input size, that a step trains on (multi-scale training).

    Redmon and Farhadi 2017, arXiv:1612.08242, section 2, who draw a size every 10 steps; here every step draws its own.

    Args:
        seed: the seed of the run.
        step: the step, from 0.
        grids: a grid for each input size.
    """
    return grids[0] if len(grids) == 1 else grids[int(np.random.default_rng([seed, SIZE, step]).integers(len(grids)))]


def repeat_factors(class_lists: Sequence[np.ndarray], threshold: float) -> np.ndarray:
    """Compute how often each picture should be shown for the sake of its rarest class.

    A class in a share f of the pictures has the factor max(1, sqrt(threshold / f)), a picture the largest factor of its classes
    (Gupta et al. 2019, arXiv:1908.03195, appendix B.2).

    Args:
        class_lists: for each picture its classes, (n,) integers.
        threshold: the share of the pictures, 0..1, under which a class is rare.

    Returns:
        (pictures,) float64, at least 1.
    """
    present = [np.unique(classes) for classes in class_lists]
    pictures = np.bincount(np.concatenate([np.zeros(0, int), *present]))
    factors = np.sqrt(np.maximum(1, threshold * len(present) / np.maximum(pictures, 1)))
    return np.array([factors[classes].max(initial=1) for classes in present])


def class_balanced_weights(class_lists: Sequence[np.ndarray]) -> np.ndarray:
    """Compute weights by which every class is drawn equally often: first a class, then one of the pictures that show it.

    Pictures without boxes count as a class of their own (Shen et al. 2016, arXiv:1512.05830, section 3.3).

    Args:
        class_lists: for each picture its classes, (n,) integers.

    Returns:
        (pictures,) float64 that sum to 1.
    """
    background = 1 + max((int(classes.max(initial=-1)) for classes in class_lists), default=-1)
    present = [np.unique(classes) if len(classes) else np.array([background]) for classes in class_lists]
    pictures = np.bincount(np.concatenate(present))
    shares = 1 / (np.maximum(pictures, 1) * np.count_nonzero(pictures))
    return np.array([shares[classes].sum() for classes in present])
