"""The metrics of training steps on their way to the log, without making the devices wait."""

import collections
import math
import time

import jax

from yolojax.data.pipeline import train_sampler
from yolojax.errors import InputError
from yolojax.runtime.timing import timed

STEPS_IN_FLIGHT = 2
ADVICE = "lower config.optimizer.learning_rate or set config.optimizer.clip_norm; earlier checkpoints are untouched"


class Recorder:
    """Turns the metrics of steps into lines of the log, without making the devices wait.

    The metrics of a group of steps are fetched when the next group has been handed to the devices. Updates that were skipped
    are counted in `skipped`; one more than `config.train.max_skipped_steps` is an InputError.
    """

    def __init__(self, config, schedule, source, log, progress, pending, skipped=0):
        self.config, self.schedule, self.source, self.log, self.progress = config, schedule, source, log, progress
        self._samples_of = train_sampler(source, config)
        self._group = pending
        self.skipped, self._counted_to = skipped, max((entry["step"] for entry in pending), default=0)
        self._last_skipped = None
        self._complete = None
        self._in_flight = collections.deque()
        self.restart_clock()

    def restart_clock(self):
        """What came before does not count as time of training."""
        self._clock, self._timed_steps, self._waited = time.monotonic(), 0, collections.Counter()

    def waiting(self, batches):
        """Yields the batches, and notes how long each was waited for."""
        batches = iter(batches)
        while True:
            with timed(self._waited, "data_seconds"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def add(self, step, metrics, counts):
        """Takes the metrics of a step, arrays that may still be computed."""
        self._group.append({"step": step, **metrics, **counts})
        self._timed_steps += 1
        # The device always has the next step waiting; without a bound the host would pile up batches there, and its clock would
        # say nothing of the device.
        self._in_flight.append(metrics["loss"])
        if len(self._in_flight) > STEPS_IN_FLIGHT:
            with timed(self._waited, "device_seconds"):
                jax.block_until_ready(self._in_flight.popleft())
        if step % self.config.train.log_steps == 0:
            self._complete_group()

    def flush(self, last=False):
        """Writes every complete group, or at the last step what there is; returns the rest, as numbers."""
        if last and self._group:
            self._complete_group()
        self._write_complete()
        self._group = self._fetch(self._group)
        if last and self._last_skipped and self._last_skipped["step"] == self._counted_to:
            # Nothing says that the parameters, finite as they are, are worth anything.
            raise InputError(f"{self._explain(self._last_skipped)}; the run ends there; {ADVICE}")
        # A copy: it is written in the background while the group grows.
        return list(self._group)

    def _complete_group(self):
        self._write_complete()
        seconds = time.monotonic() - self._clock
        speed = {"images_per_second": self._timed_steps * self.config.train.batch_size / seconds}
        # What a step takes: waiting for its batch, waiting for the devices, and all else, the host's own work.
        waited = {name: self._waited[name] for name in ("data_seconds", "device_seconds")}
        waited["host_seconds"] = seconds - sum(waited.values())
        speed |= {name: value / max(self._timed_steps, 1) for name, value in waited.items()}
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
        values = {
            name: sum(entry[name] for entry in made) / len(made) if made else math.nan
            for name in ("loss", "box", "objectness", "classification", "gradient_norm", "rate_factor")
            if name in group[0]
        }
        # A skipped update does not take the schedule on.
        values["learning_rate"] = float(self.schedule(step - self.skipped))
        values |= speed
        values["skipped"] = len(group) - len(made)
        for name in ("dropped_small", "dropped_excess", "unreadable"):
            values[name] = sum(entry[name] for entry in group)
        self.log.write(step, "train", values)
        self.progress.show(step, values)

    def _fetch(self, group):
        group = jax.device_get(group)
        group = [{name: value.item() if hasattr(value, "item") else value for name, value in e.items()} for e in group]
        for entry in group:
            # A group is fetched again when it has grown.
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
        terms = ", ".join(f"{name} {entry[name]:g}" for name in ("box", "objectness", "classification", "gradient_norm"))
        return f"step {entry['step']}: the loss is not finite ({terms}); its pictures: {pictures}"
