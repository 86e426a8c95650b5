"""Training: the optimizer, the compiled step and the loop around it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yolojax.training.loop import train_and_evaluate
    from yolojax.training.step import TrainState, create_state, train_step

_HOME = {"TrainState": "step", "create_state": "step", "train_and_evaluate": "loop", "train_step": "step"}
__all__ = ["TrainState", "create_state", "train_and_evaluate", "train_step"]


def __getattr__(name: str) -> Any:
    # On demand: the step is used without the loop, which loads the evaluation.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
