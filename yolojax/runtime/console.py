"""What a program prints: a progress bar or plain lines, and errors as one line."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import rich.console
import rich.progress
from rich.table import Column

from yolojax.errors import printable
from yolojax.runtime.streams import say

TERMS = {"box": "box", "objectness": "obj", "classification": "class"}
"""The usual terms of the loss, and what they are called beside a bar."""


def report_error(error: object) -> None:
    """Prints an exception or a message as one line on stderr."""
    program = os.path.basename(sys.argv[0])
    print(printable(f"{program}: error: {' '.join(str(error).split())}"), file=sys.stderr)


class NullOutput:
    """Replaces MetricsLog and Progress in all processes but the first; accepts every method call and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_: None


class Progress:
    """A live progress bar on a terminal; plain lines elsewhere."""

    def __init__(self, label: str, start: int, total: int | None) -> None:
        """Shows the bar.

        Args:
            label: what is in progress.
            start: the amount that is done already.
            total: the amount that is done at the end; None or 0 if it is not known.
        """
        self.label, self.total, self.start, self.began = printable(label), total, start, time.monotonic()
        self._last_note = self.began
        console = rich.console.Console(stderr=True, highlight=False)
        self._bar = None
        if console.is_terminal:
            self._bar = rich.progress.Progress(
                # On a narrow terminal only the note wraps.
                rich.progress.TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, min_width=5)),
                rich.progress.BarColumn(bar_width=12),
                rich.progress.MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(total)) + 1)),
                rich.progress.TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
                rich.progress.TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=False)),
                console=console,
            )
            self._task = self._bar.add_task(self.label, total=total, completed=start, note="")
            self._bar.start()

    def advance(self, done: int, note: str = "") -> None:
        """Shows that `done` of the total is done, with a note beside the bar, or in a line every ten seconds."""
        if self._bar:
            self._bar.update(self._task, completed=done)
            if note:
                self._bar.update(self._task, note=note)
        elif note and time.monotonic() - self._last_note >= 10:
            self._last_note = time.monotonic()
            self.say(f"{self.label} {done}{f'/{self.total}' if self.total else ''}  {note}")

    def show(self, step: int, values: Mapping[str, float], terms: Iterable[str] = TERMS) -> None:
        """Shows the metrics of a training step: the loss, its terms by name, images per second and the learning rate."""
        summands = " + ".join(f"{TERMS.get(name, name)} {values[name]:.2f}" for name in terms)
        loss = f"loss {values['loss']:.2f}{' = ' * bool(summands)}{summands}"
        note = f"{loss}  {values['images_per_second']:.0f} images/s  rate {values['learning_rate']:.1e}"
        if self._bar:
            self._bar.update(self._task, note=note)
        else:
            left = (time.monotonic() - self.began) / max(step - self.start, 1) * ((self.total or 0) - step)
            self.say(f"step {step}/{self.total}  {note}  {_duration(left)} left")

    def evaluating(self, done: int, total: int) -> None:
        """Shows how many images of a validation between two training steps are done."""
        if self._bar:
            self._bar.update(self._task, description=f"evaluate {done}/{total}" if done < total else self.label)

    def say(self, text: str) -> None:
        """Prints a line, above the bar if there is one."""
        if self._bar:
            self._bar.console.print(printable(text), markup=False, soft_wrap=True)
        else:
            say(text)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar:
            self._bar.stop()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
