"""Which checkpoint of a run is the best, and whether waiting for a better one is still worth while."""

from yolojax.config import LOWER_IS_BETTER


def score(metrics, name):
    """A metric of a validation as a number of which more is better; None where it is not defined.

    Args:
        metrics: {name: number}.
        name: one of `config.BEST_BY`.
    """
    value = metrics.get(name)
    return -value if value is not None and name in LOWER_IS_BETTER else value


def without_improvement(scores):
    """How many of a run's scores came after its best one, the first of equals; None is no improvement.

    Args:
        scores: of every evaluation so far, in their order.
    """
    best, count = None, 0
    for value in scores:
        better = value is not None and (best is None or value > best)
        best, count = (value, 0) if better else (best, count + 1)
    return count


def exhausted(scores, patience):
    """Whether so many evaluations in a row brought no better score; never with a patience of 0."""
    return 0 < patience <= without_improvement(scores)
