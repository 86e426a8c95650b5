"""What a program shows on the terminal: a progress bar or plain lines, and errors as one line."""

import os
import sys
import time

import rich.console
import rich.progress
from rich.table import Column


def report_error(error):
    """Prints what is wrong as one line on stderr."""
    program = os.path.basename(sys.argv[0])
    print(f"{program}: error: {' '.join(str(error).split())}", file=sys.stderr)


class NullOutput:
    """Stands for MetricsLog and Progress in all but the first of several processes: takes every call, and does nothing."""

    def __getattr__(self, name):
        return lambda *_: None


class Progress:
    """A live bar on a terminal; plain lines elsewhere."""

    def __init__(self, label, start, total):
        self.label, self.total, self.start, self.began = label, total, start, time.monotonic()
        self._said = self.began
        console = rich.console.Console(stderr=True, highlight=False)
        self._bar = None
        if console.is_terminal:
            self._bar = rich.progress.Progress(
                # On a narrow terminal the note goes on below, and the others keep their places.
                rich.progress.TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=5)),
                rich.progress.BarColumn(bar_width=12),
                rich.progress.MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(total)) + 1)),
                rich.progress.TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
                rich.progress.TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=False)),
                console=console,
            )
            self._task = self._bar.add_task(label, total=total, completed=start, note="")
            self._bar.start()

    def advance(self, done, note=""):
        """So much of the total is done; the note stands beside the bar, or in a line every ten seconds."""
        if self._bar:
            self._bar.update(self._task, completed=done, **({"note": note} if note else {}))
        elif note and time.monotonic() - self._said >= 10:
            self._said = time.monotonic()
            self.say(f"{self.label} {done}{f'/{self.total}' if self.total else ''}  {note}")

    def show(self, step, values):
        """New metrics of training: loss terms, learning rate, pictures a second."""
        note = (
            f"loss {values['loss']:.2f} = box {values['box']:.2f} + obj {values['objectness']:.2f} "
            f"+ class {values['classification']:.2f}  {values['images_per_second']:.0f} pictures/s  "
            f"rate {values['learning_rate']:.1e}"
        )
        if self._bar:
            self._bar.update(self._task, note=note)
        else:
            left = (time.monotonic() - self.began) / max(step - self.start, 1) * (self.total - step)
            self.say(f"step {step}/{self.total}  {note}  {_duration(left)} left")

    def evaluating(self, done, total):
        """So many pictures of a validation between two steps are done."""
        if self._bar:
            self._bar.update(self._task, description=f"evaluate {done}/{total}" if done < total else self.label)

    def say(self, text):
        """Prints a line, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(text, markup=False, soft_wrap=True)
        else:
            print(text, flush=True)

    def close(self):
        """Takes the bar away."""
        if self._bar:
            self._bar.stop()


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
