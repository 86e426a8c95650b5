"""The checkpoints of a run: the only place that knows Orbax.

Orbax takes half a second to import, so that those who open no checkpoint, or later, import this module where they do.
"""

import contextlib
import glob
import os
import re
import sys
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers

from yolojax.errors import InputError, first_line
from yolojax.runs.selection import score


class Checkpoints:
    """The folder WORKDIR/checkpoints: the last two checkpoints and the best one by a metric of the validation.

    A checkpoint is a folder named by its step with the state's arrays and meta.json-like values: configuration, class names,
    anchors, the metrics of its evaluation if it had one. It appears whole or not at all. Writing goes on in the background.

    Raises:
        InputError: this user may not read the checkpoints, or where they are not `read_only`, not write them.
    """

    def __init__(self, workdir, *, best_by="ap50", read_only=False):
        self.folder = Path(workdir).absolute() / "checkpoints"
        _check_permissions(self.folder, write=not read_only)
        self._best_by = best_by
        self._scores = {}
        policies = checkpoint_managers
        # Its own BestN forgets the metrics of a run that is resumed, and would delete the best checkpoint.
        keep = policies.AnyPreservationPolicy([policies.LatestN(2), _KeepBest(self)])
        if read_only:
            options = ocp.CheckpointManagerOptions(read_only=True, save_interval_steps=0, create=False)
        else:
            options = ocp.CheckpointManagerOptions(preservation_policy=keep, cleanup_tmp_directories=True)
        with _quiet():
            self._manager = ocp.CheckpointManager(
                self.folder,
                options=options,
                item_handlers={"state": _state_handler(), "meta": ocp.JsonCheckpointHandler()},
            )

    def steps(self):
        """The steps that have a checkpoint, ascending."""
        return sorted(self._manager.all_steps())

    def best_step(self):
        """The step of the best metric, the later one of equals; None where no checkpoint has been evaluated."""
        return self.best_of(self.steps())

    def best_of(self, steps):
        """The best of some steps that have a checkpoint, as `best_step`."""
        for step in steps:
            if step not in self._scores:
                self._scores[step] = score(self.meta(step)["metrics"], self._best_by)
        evaluated = [step for step in steps if self._scores[step] is not None]
        return max(evaluated, key=lambda step: (self._scores[step], step), default=None)

    def save(self, step, state, meta):
        """Begins to write a checkpoint; does nothing if the step has one.

        Raises:
            InputError: this one, or the one before, cannot be written; what was written before is untouched.
        """
        if step in self.steps():
            return
        self.best_step()  # reads the scores of the checkpoints that an earlier process left
        self._scores[step] = score(meta["metrics"], self._best_by)
        items = ocp.args.Composite(state=ocp.args.PyTreeSave(state), meta=ocp.args.JsonSave(meta))
        with self._explained():
            self._manager.save(step, args=items)

    def wait(self):
        """Returns when every checkpoint has been written.

        Raises:
            InputError: one cannot be written.
        """
        with self._explained():
            self._manager.wait_until_finished()

    def meta(self, step):
        """What was saved beside the arrays of a step.

        Raises:
            InputError: it cannot be read.
        """
        with self._read(step):
            meta = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta
            if not (isinstance(meta, dict) and isinstance(meta.get("metrics"), dict) and isinstance(meta.get("pending"), list)):
                raise ValueError("meta has no metrics and pending")
        return meta

    def restore(self, step, abstract):
        """Reads the arrays of a checkpoint.

        Args:
            step: which one.
            abstract: tree of jax.ShapeDtypeStruct with shardings; parts of the saved tree may be absent.

        Returns:
            The tree, with arrays.

        Raises:
            InputError: the checkpoint cannot be read or holds another network.
        """
        arguments = ocp.args.PyTreeRestore(
            abstract, restore_args=ocp.checkpoint_utils.construct_restore_args(abstract), partial_restore=True
        )
        with self._read(step):
            return self._manager.restore(step, args=ocp.args.Composite(state=arguments)).state

    def forget(self, step):
        """The folder of a step is not there any more."""
        self._scores.pop(step, None)
        self._manager.reload()

    @contextlib.contextmanager
    def _read(self, step):
        # Orbax and tensorstore report damage as many kinds of exception, a plain Exception among them.
        try:
            with _quiet():
                yield
        except Exception as error:
            _ignore_late_answers()
            raise InputError(f"{self.folder / str(step)}: the checkpoint cannot be read: {_reason(error)}") from error

    def close(self):
        """Waits for what is being written and lets go of the folder."""
        with self._explained():
            self._manager.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # What is being written is finished even when the run has failed; then that failure is the one to report.
        with contextlib.suppress(InputError) if kind else contextlib.nullcontext():
            self.close()

    @contextlib.contextmanager
    def _explained(self):
        # Orbax reports a failed write as many kinds of exception, and often that of the checkpoint before.
        try:
            with _quiet():
                yield
        except Exception as error:
            raise InputError(
                f"{self.folder}: a checkpoint cannot be written: {_reason(error)}; earlier checkpoints are untouched; "
                "mend this and start again with the same command"
            ) from error


def _check_permissions(folder, write):
    """Refuses checkpoints that this user may not read or write: they are not damaged, and none may be set aside for it."""
    mode = os.R_OK | os.X_OK | (os.W_OK if write else 0)
    within = glob.glob(os.path.join(glob.escape(str(folder)), "[0-9]*", "**"), recursive=True)
    for path in [str(folder), *(path for path in within if Path(path).relative_to(folder).parts[0].isdigit())]:
        # A run may delete a checkpoint at this moment, which another program looks at.
        if not os.access(path, mode if os.path.isdir(path) else os.R_OK) and os.path.exists(path):
            raise InputError(
                f"{path.rstrip(os.sep)}: this user may not read{' and write' if write else ''} it; nothing was changed; allow "
                "it (chmod, chown) and start again with the same command"
            )


def _state_handler():
    """A handler whose arrays are written by the first device that holds them.

    By default each of n devices writes an nth of every array. The state is on all of them, and to cut it compiles a program for
    each size and each part, which the training waits for.
    """
    handler = ocp.type_handlers.ArrayHandler(use_replica_parallel=False)
    registry = ocp.type_handlers.create_type_handler_registry(
        (jax.Array, handler), (np.ndarray, ocp.type_handlers.NumpyHandler())
    )
    return ocp.PyTreeCheckpointHandler(type_handler_registry=registry)


class _KeepBest:
    """A policy of Orbax: what is kept is the best checkpoint."""

    def __init__(self, checkpoints):
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints, *, context):
        best = self._checkpoints.best_of([each.step for each in checkpoints])
        return [each.step == best for each in checkpoints]


def _ignore_late_answers():
    """Orbax does not wait for its other reads where one has failed, and Python reports each whose answer finds nobody."""
    report = sys.unraisablehook
    if getattr(report, "but_late_answers", False):
        return

    def hook(unraisable):
        if not isinstance(unraisable.exc_value, RuntimeError) or str(unraisable.exc_value) != "Event loop is closed":
            report(unraisable)

    hook.but_late_answers = True
    sys.unraisablehook = hook


def _reason(error):
    """What went wrong: the operating system's words where tensorstore quotes them, else the first line."""
    quoted = re.search(r"([^:]+) \[os_error_code", str(error))
    if quoted:
        return quoted[1].strip()
    return first_line(error)


@contextlib.contextmanager
def _quiet():
    """Keeps Orbax's notes on its own workings off the terminal; what goes wrong reaches us as an exception."""
    before = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    try:
        yield
    finally:
        absl_logging.set_verbosity(before)
