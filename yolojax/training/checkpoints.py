"""Checkpoints of a run, and what is read back from them: the only place that knows Orbax."""

import contextlib
import glob
import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers

from yolojax.config import Config, checked, to_dict
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.models import abstract_variables, build_grid, build_model
from yolojax.training.selection import score

# The step of a checkpoint that no training made: the variables alone of a network that was imported.
IMPORTED = 0


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


class Run(NamedTuple):
    """A trained network as it is read back from a workdir.

    Attributes:
        config: the resolved Config.
        model: the network.
        grid: AnchorGrid of the configured input size.
        variables: {"params", "batch_stats"} to evaluate, the averaged ones where the run averages.
        step: of the checkpoint.
    """

    config: Config
    model: nn.Module
    grid: AnchorGrid
    variables: dict
    step: int


def read_config(workdir):
    """Reads WORKDIR/config.json.

    Raises:
        InputError: it is missing or not a configuration.
    """
    path = Path(workdir) / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; train first: python train.py --workdir {workdir}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {_reason(error)}") from error
    return checked(values)


def load_run(workdir, checkpoint="best", sharding=None):
    """Reads a trained network from a workdir.

    Args:
        workdir: as `train_and_evaluate` leaves it.
        checkpoint: "best" (by `config.train.save_best_by`; the last one where none was evaluated), "last", or a step.
        sharding: of the variables; one device by default.

    Returns:
        Run.

    Raises:
        InputError: no run there, no such checkpoint, or one that cannot be read.
    """
    config = read_config(workdir)
    checkpoints = Checkpoints(workdir, best_by=config.train.save_best_by, read_only=True)
    step = _find_step(checkpoints, checkpoint)
    model = build_model(config.model)
    sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    variables = restore_variables(checkpoints, step, config, model, sharding)
    checkpoints.close()
    return Run(config, model, build_grid(config.model, config.data.size), variables, step)


def restore_variables(checkpoints, step, config, model, sharding):
    """Reads the variables to evaluate, {"params", "batch_stats"}: the averaged ones where the run averages."""
    abstract = abstract_arrays(abstract_variables(model), sharding)
    if config.optimizer.ema_decay and step != IMPORTED:
        return checkpoints.restore(step, {"ema": abstract})["ema"]
    return checkpoints.restore(step, abstract)


def make_meta(config, metrics, pending, scores=(), data=None, skipped=0):
    """What goes beside the arrays of a checkpoint: configuration, classes and anchors, and the following.

    Args:
        config: resolved Config.
        metrics: numbers of the validation at this step, {} where there was none.
        pending: metrics of the steps since the last line of the log.
        scores: of all validations of the run so far, by `selection.score`.
        data: {split: fingerprint of its records, or None}.
        skipped: updates that were not made, their loss or gradient not being finite.
    """
    return {
        "config": to_dict(config),
        "class_names": list(config.data.class_names),
        "anchors": [list(map(list, scale)) for scale in build_grid(config.model, config.data.size).anchors],
        "metrics": metrics,
        "pending": pending,
        "scores": list(scores),
        "data": data or {},
        "skipped": skipped,
    }


def abstract_arrays(tree, sharding):
    """Shapes and types of a tree, each with the sharding."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)


def _find_step(checkpoints, wanted):
    steps = checkpoints.steps()
    if not steps:
        raise InputError(f"{checkpoints.folder} has no checkpoint yet; train first")
    if wanted == "last":
        return steps[-1]
    if wanted == "best":
        return checkpoints.best_step() or steps[-1]
    if not str(wanted).isdigit() or int(wanted) not in steps:
        raise InputError(f"{checkpoints.folder} has no checkpoint {wanted!r}: best, last, {', '.join(map(str, steps))}")
    return int(wanted)


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
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _quiet():
    """Keeps Orbax's notes on its own workings off the terminal; what goes wrong reaches us as an exception."""
    before = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    try:
        yield
    finally:
        absl_logging.set_verbosity(before)
