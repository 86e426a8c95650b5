"""Training: the optimizer, the compiled step and the loop around it."""

from typing import TYPE_CHECKING

from yolojax import lazy

if TYPE_CHECKING:
    from yolojax.training.loop import train_and_evaluate
    from yolojax.training.step import TrainState, create_state, train_step

_HOME = {"TrainState": "step", "create_state": "step", "train_and_evaluate": "loop", "train_step": "step"}
__all__ = ["TrainState", "create_state", "train_and_evaluate", "train_step"]

if not TYPE_CHECKING:
    # On demand: the step is used without the loop, which loads the evaluation.
    __getattr__, __dir__ = lazy.attach(__name__, {name: f"{__name__}.{home}" for name, home in _HOME.items()})
