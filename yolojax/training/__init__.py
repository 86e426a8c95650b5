"""Training: the optimizer, the compiled step, checkpoints and the loop around them."""

import importlib

_HOME = {"TrainState": "step", "create_state": "step", "train_step": "step", "train_and_evaluate": "loop"}
__all__ = sorted(_HOME)


def __getattr__(name):
    # On demand: the loop uses the evaluation, which uses the checkpoints of this package.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
