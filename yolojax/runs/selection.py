"""Which checkpoint of a run is the best, and when a run stops for lack of improvement."""

import math
from collections.abc import Mapping, Sequence

from yolojax.config import LOWER_IS_BETTER


def score(metrics: Mapping[str, float], name: str) -> float | None:
    """Turns a metric of a validation into a score; higher is better.

    Args:
        metrics: {name: number}.
        name: one of `config.BEST_BY`.

    Returns:
        The score, or None if the metric is missing or not finite.
    """
    value = metrics.get(name)
    if value is not None and not math.isfinite(value):
        return None
    return -value if value is not None and name in LOWER_IS_BETTER else value


def without_improvement(scores: Sequence[float | None]) -> int:
    """Counts the scores of a run that came after its best one, the first among equals; None is never an improvement.

    Args:
        scores: the scores of every evaluation so far, in order.
    """
    best, count = None, 0
    for value in scores:
        better = value is not None and (best is None or value > best)
        best, count = (value, 0) if better else (best, count + 1)
    return count


def exhausted(scores: Sequence[float | None], patience: int) -> bool:
    """Whether the last `patience` evaluations brought no better score; never with a patience of 0."""
    return 0 < patience <= without_improvement(scores)
