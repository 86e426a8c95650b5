"""What a run says while it goes on: metrics.jsonl, TensorBoard, and a progress display."""

import json
import math
import os
import time
from pathlib import Path

import rich.console
import rich.progress
from rich.table import Column
from tensorboardX import SummaryWriter
from tensorboardX.proto.summary_pb2 import Summary

from yolojax.data.images import cv2
from yolojax.errors import InputError


class MetricsLog:
    """WORKDIR/metrics.jsonl, one JSON object a line, and the same scalars in WORKDIR/tensorboard."""

    def __init__(self, workdir, step):
        """Opens the log of a run that goes on after `step`; lines of later steps, which will be made again, are dropped."""
        self.path = Path(workdir) / "metrics.jsonl"
        _keep_lines_up_to(self.path, step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(Path(workdir) / "tensorboard"), purge_step=step + 1 if step else None)

    def write(self, step, split, values):
        """Adds one line: {"step", "split", **values}; what is not finite becomes null."""
        line = {"step": step, "split": split}
        for name, value in values.items():
            line[name] = value if math.isfinite(value) else None
            if math.isfinite(value):
                self._board.add_scalar(f"{split}/{name}", value, step)
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}") from error

    def write_picture(self, step, name, image):
        """Adds a picture, (H, W, 3) uint8 RGB, to TensorBoard."""
        # Encoded here: tensorboardX's own add_image needs Pillow for it.
        png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        picture = Summary.Image(height=image.shape[0], width=image.shape[1], colorspace=3, encoded_image_string=png)
        self._board.file_writer.add_summary(Summary(value=[Summary.Value(tag=name, image=picture)]), step)

    def close(self):
        """Closes both files."""
        self._file.close()
        self._board.close()


def _keep_lines_up_to(path, step):
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = []
    for line in lines:
        try:
            if line.endswith(b"\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    if len(kept) < len(lines):
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_bytes(b"".join(kept))
        os.replace(draft, path)


class Silent:
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
