"""The metrics of training steps on their way to the log, without making the devices wait."""

import collections
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import jax

from yolojax.config import Config
from yolojax.data.pipeline import train_sampler
from yolojax.data.source import Source
from yolojax.data.worker_processes import COUNTS
from yolojax.errors import InputError
from yolojax.loss_terms import in_log_order
from yolojax.runtime.console import NullOutput, Progress
from yolojax.runtime.timing import timed
from yolojax.training.metrics_log import MetricsLog
from yolojax.training.schedules import Schedule

STEPS_IN_FLIGHT = 2
ADVICE = "lower config.optimizer.learning_rate or set config.optimizer.clip_norm; earlier checkpoints are untouched"

MEASURED_LAST = ("gradient_norm", "rate_factor")

Item = TypeVar("Item")


class Recorder:
    """Turns the metrics of steps into lines of the log.

    The metrics of a group of `config.train.log_steps` steps are fetched only when the next group is on the devices.

    Args:
        config: the configuration of the run.
        schedule: function of the step to the learning rate.
        source: the training pictures.
        log: where a line per group is written.
        progress: shows the same metrics, and reports skipped updates.
        pending: metrics of the steps since the last line of the log, from the checkpoint of a resumed run.
        skipped: how many updates the run has skipped so far.
        notify: tells the callbacks of each line.

    Attributes:
        skipped: how many updates were skipped, as far as metrics have been fetched.
    """

    def __init__(
        self,
        config: Config,
        schedule: Schedule,
        source: Source,
        log: MetricsLog | NullOutput,
        progress: Progress | NullOutput,
        pending: list[dict[str, Any]],
        skipped: int = 0,
        notify: Callable[[str, int, Mapping[str, float]], object] = lambda *_: None,
    ) -> None:
        self.notify = notify
        self.config, self.schedule, self.source, self.log, self.progress = config, schedule, source, log, progress
        self._samples_of = train_sampler(source, config)
        # A checkpoint of an earlier version may lack a number, and then says nothing of these steps.
        self._group = [entry for entry in pending if {"step", "loss"} <= entry.keys()]
        self.skipped, self._counted_to = skipped, max((entry["step"] for entry in self._group), default=0)
        self._last_skipped = None
        self._complete = None
        self._in_flight = collections.deque()
        self.restart_clock()

    def restart_clock(self) -> None:
        """Restarts the clock of training, so that time spent otherwise does not count."""
        self._clock, self._timed_steps = time.monotonic(), 0
        self._waited: dict[str, float] = {"data_seconds": 0.0, "device_seconds": 0.0}

    def waiting(self, batches: Iterable[Item]) -> Iterator[Item]:
        """Yields the batches, and measures how long each took to arrive."""
        iterator = iter(batches)
        while True:
            with timed(self._waited, "data_seconds"):
                batch = next(iterator, None)
            if batch is None:
                return
            yield batch

    def add(self, step: int, metrics: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """Records a step.

        Args:
            step: its number, from 1.
            metrics: the metrics of `train_step`, arrays that may not be computed yet.
            counts: {name: number} of its batch.

        Raises:
            InputError: more than `config.train.max_skipped_steps` updates were skipped.
        """
        self._group.append({"step": step, **metrics, **counts})
        self._timed_steps += 1
        # The device always has the next step waiting. Without this limit the host would queue up batches there, and its clock
        # would say nothing about the device.
        self._in_flight.append(metrics["loss"])
        if len(self._in_flight) > STEPS_IN_FLIGHT:
            with timed(self._waited, "device_seconds"):
                jax.block_until_ready(self._in_flight.popleft())
        if step % self.config.train.log_steps == 0:
            self._complete_group()

    def flush(self, last: bool = False) -> list[dict[str, Any]]:
        """Writes every complete group, and at the last step of the run the incomplete one.

        Args:
            last: whether this is the last step.

        Returns:
            The metrics of the steps that were not written, as numbers; a checkpoint stores them as `pending`.

        Raises:
            InputError: more than `config.train.max_skipped_steps` updates were skipped, or the last step was skipped.
        """
        if last and self._group:
            self._complete_group()
        self._write_complete()
        self._group = self._fetch(self._group)
        if last and self._last_skipped and self._last_skipped["step"] == self._counted_to:
            # The parameters are finite, but nothing shows that they are any good.
            raise InputError(f"{self._explain(self._last_skipped)}; the run ends there; {ADVICE}")
        # A copy: it is written in the background while the group grows.
        return list(self._group)

    def _complete_group(self):
        self._write_complete()
        seconds = time.monotonic() - self._clock
        # A step takes the time of waiting for its batch, of waiting for the devices, and of the host's own work.
        spent = {**self._waited, "host_seconds": seconds - sum(self._waited.values())}
        speed = {"images_per_second": self._timed_steps * self.config.train.batch_size / seconds}
        speed |= {name: value / max(self._timed_steps, 1) for name, value in spent.items()}
        self.restart_clock()
        self._complete, self._group = (self._group, speed), []

    def _write_complete(self):
        if self._complete is None:
            return
        group, speed = self._complete
        self._complete = None
        group = self._fetch(group)
        step = group[-1]["step"]
        made = [entry for entry in group if not entry.get("skipped")]
        measured = [name for name in _measured(group[0]) if all(name in entry for entry in group)]
        values = {name: sum(entry[name] for entry in made) / len(made) if made else math.nan for name in measured}
        # A skipped update does not advance the schedule.
        values["learning_rate"] = float(self.schedule(step - self.skipped))
        values |= speed
        values["skipped"] = len(group) - len(made)
        for name in COUNTS:
            values[name] = sum(entry.get(name, 0) for entry in group)
        self.log.write(step, "train", values)
        self.notify("log", step, values)
        self.progress.show(step, values, [name for name in measured if name not in ("loss", *MEASURED_LAST)])

    def _fetch(self, group):
        """The metrics of a group as numbers, with new skipped updates counted."""
        group = jax.device_get(group)
        group = [{name: value.item() if hasattr(value, "item") else value for name, value in e.items()} for e in group]
        for entry in group:
            # A group is fetched again after it has grown.
            if entry["step"] > self._counted_to:
                self._counted_to = entry["step"]
                if entry.get("skipped"):
                    self._skip(entry)
        return group

    def _skip(self, entry):
        limit = self.config.train.max_skipped_steps
        if self.skipped >= limit:
            raise InputError(
                f"{self._explain(entry)}; {self.skipped} updates were skipped before (config.train.max_skipped_steps={limit}); "
                f"{ADVICE}"
            )
        self.skipped, self._last_skipped = self.skipped + 1, entry
        self.progress.say(f"{self._explain(entry)}; this update is skipped, number {self.skipped} of at most {limit}")

    def _explain(self, entry):
        samples = self._samples_of(entry["step"] - 1)
        pictures = ", ".join(self.source.describe(index % len(self.source)) for _, index in samples)
        terms = ", ".join(f"{name} {entry[name]:g}" for name in _measured(entry) if name not in ("loss", "rate_factor"))
        return f"step {entry['step']}: the loss is not finite ({terms}); its pictures: {pictures}"


def _measured(entry: Mapping[str, Any]) -> list[str]:
    """What a step measures of the loss and the update, in the order of the log: the loss, its terms, the rest."""
    others = ("loss", "step", "skipped", *COUNTS, *MEASURED_LAST)
    terms = in_log_order(name for name in entry if name not in others)
    return ["loss", *terms, *(name for name in MEASURED_LAST if name in entry)]
