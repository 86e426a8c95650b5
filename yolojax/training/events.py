"""What a run tells the callbacks of `config.train.callbacks`."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence

from yolojax.runtime.paths import absolute

KINDS = ("start", "log", "eval", "checkpoint", "end")


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Callbacks are called by the first process alone, between two steps, in the order of the configuration. The run waits for
    them, and ends if one raises an exception.

    Attributes:
        kind: "start": before the first step; "log": metrics of training were logged; "eval": the validation split was
            evaluated; "checkpoint": a checkpoint is complete on disk; "end": the run has ended and its best checkpoint was
            evaluated. A run that is stopped by a signal has no "end"; one that is resumed has another "start".
        step: steps made so far; of "checkpoint", the step of the checkpoint; of "end", the step of the best one.
        numbers: "start": total_steps, steps_per_epoch, training_pictures, validation_pictures; "log" and "eval": those of the
            line in metrics.jsonl; "checkpoint": those of its validation, if it had one; "end": the numbers of the best
            checkpoint's evaluation. Undefined numbers are NaN.
        workdir: folder of the run; config.json is in it.
    """

    kind: str
    step: int
    numbers: Mapping[str, float]
    workdir: str


class Notifier:
    """Calls the callbacks of a run.

    Args:
        callbacks: functions of an `Event`; none in all processes but the first.
        workdir: folder of the run.
    """

    def __init__(self, callbacks: Sequence[Callable[[Event], object]], workdir: str | os.PathLike[str]) -> None:
        self._callbacks, self._workdir = callbacks, absolute(workdir)

    def __call__(self, kind: str, step: int, numbers: Mapping[str, float]) -> None:
        """Calls all of them with an event of one of `KINDS`."""
        for callback in self._callbacks:
            callback(Event(kind, step, dict(numbers), self._workdir))
