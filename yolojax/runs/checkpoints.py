"""The checkpoints of a run: the only module that uses Orbax.

Orbax takes half a second to import: modules that may not need a checkpoint import this one only where they do.
"""

import contextlib
import glob
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers

from yolojax.errors import InputError, first_line
from yolojax.runs.meta import MOST_STEPS, check_meta
from yolojax.runs.selection import score
from yolojax.runs.store_path import store_folder
from yolojax.runtime.ending import end_anyway

_UNFINISHED = ".orbax-checkpoint-tmp"
"""In the names of folders in which checkpoints are being written."""


class Checkpoints:
    """The folder WORKDIR/checkpoints: the last two checkpoints, the best one by a validation metric, and any to be kept.

    A checkpoint is a folder named after its step. It holds the arrays of the state, and as JSON values its meta: configuration,
    class names, anchors, and the metrics of its evaluation if it had one. It appears complete or not at all. Checkpoints are
    written in the background.

    Args:
        workdir: folder of the run.
        best_by: the metric, one of `config.BEST_BY`.
        keep_every: the checkpoints of the steps that this divides are never deleted, that of step 0 included; 0: no others than
            the above.
        read_only: whether nothing may be written or removed.

    Attributes:
        folder: the absolute path.

    Raises:
        InputError: the folder is a link that leads nowhere, this user may not read the checkpoints, or, unless `read_only`, not
            write them, or there is a folder which is not a checkpoint, but would be taken for an old or unfinished one and be
            deleted.
    """

    def __init__(
        self, workdir: str | os.PathLike[str], *, best_by: str = "ap50", keep_every: int = 0, read_only: bool = False
    ) -> None:
        self.folder = Path(workdir).absolute() / "checkpoints"
        if self.folder.is_symlink() and not self.folder.exists():
            raise InputError(f"{self.folder}: leads to {os.readlink(self.folder)}, which does not exist; put that back")
        _check_permissions(self.folder, write=not read_only)
        if not read_only:
            _check_nothing_foreign(self.folder)
        self._place, self._release = store_folder(self.folder.parent, make=not read_only)
        self._best_by = best_by
        self._scores: dict[int, float | None] = {}
        policies = checkpoint_managers
        # Orbax's own BestN forgets the metrics of a resumed run, and would delete the best checkpoint.
        always = [policies.EveryNSteps(keep_every)] if keep_every else []
        keep = policies.AnyPreservationPolicy([policies.LatestN(2), _KeepBest(self), *always])
        if read_only:
            options = ocp.CheckpointManagerOptions(read_only=True, save_interval_steps=0, create=False)
        else:
            options = ocp.CheckpointManagerOptions(preservation_policy=keep, cleanup_tmp_directories=True)
        with _quiet(), self._reading_the_folder():
            self._manager = ocp.CheckpointManager(
                self._place / "checkpoints",
                options=options,
                item_handlers={"state": _state_handler(), "meta": ocp.JsonCheckpointHandler()},
            )

        self._identity = _identity(self.folder)

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order; other folders that are called like one are none."""
        return sorted(step for step in self._manager.all_steps() if not _is_foreign(self.folder / str(step)))

    def best_step(self) -> int | None:
        """The step with the best metric, the latest among equals, or None if no checkpoint has been evaluated.

        Raises:
            InputError: the meta of a checkpoint cannot be read.
        """
        return self.best_of(self.steps())

    def best_or_last_step(self) -> int:
        """The best step, or the last one if no checkpoint has been evaluated; there must be a checkpoint. See `best_step`."""
        best = self.best_step()
        return self.steps()[-1] if best is None else best

    def best_of(self, steps: Sequence[int]) -> int | None:
        """The best of some steps that have a checkpoint; see `best_step`."""
        for step in steps:
            if step not in self._scores:
                self._scores[step] = score(self.meta(step)["metrics"], self._best_by)
        evaluated = [step for step in steps if self._scores[step] is not None]
        return max(evaluated, key=lambda step: (self._scores[step], step), default=None)

    def save(self, step: int, state: Any, meta: dict[str, Any]) -> None:
        """Starts writing a checkpoint; does nothing if the step has one.

        Args:
            step: names the checkpoint.
            state: tree of arrays.
            meta: JSON values, at least "metrics" {name: number} and "pending", a list.

        Raises:
            InputError: this checkpoint, or the previous one, cannot be written; earlier ones are untouched.
        """
        if step in self.steps():
            return
        if _identity(self.folder) != self._identity:
            raise InputError(
                f"{self.folder}: the folder was removed or renamed while the run was training; step {step} cannot be saved; "
                "put it back and run the same command again"
            )
        self.best_step()  # reads the scores of the checkpoints from an earlier process
        self._scores[step] = score(meta["metrics"], self._best_by)
        items = ocp.args.Composite(state=ocp.args.PyTreeSave(state), meta=ocp.args.JsonSave(meta))
        with self._reporting_failed_writes():
            self._manager.save(step, args=items)

    def wait(self) -> None:
        """Waits until every checkpoint has been written.

        Raises:
            InputError: a checkpoint cannot be written.
        """
        with self._reporting_failed_writes():
            self._manager.wait_until_finished()

    def writing(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._manager.is_saving_in_progress()

    def meta(self, step: int) -> dict[str, Any]:
        """Reads the meta of a checkpoint, as it was saved.

        Raises:
            InputError: it cannot be read.
        """
        with self._read(step):
            restored: Any = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))
            return check_meta(restored.meta)

    def restore(self, step: int, abstract: Any) -> Any:
        """Reads the arrays of a checkpoint.

        Args:
            step: the step of the checkpoint.
            abstract: tree of jax.ShapeDtypeStruct with shardings; it may leave out parts of the saved tree.

        Returns:
            The same tree, of arrays.

        Raises:
            InputError: the checkpoint cannot be read, or holds another network.
        """
        arguments = ocp.args.PyTreeRestore(
            abstract, restore_args=ocp.checkpoint_utils.construct_restore_args(abstract), partial_restore=True
        )
        with self._read(step):
            restored: Any = self._manager.restore(step, args=ocp.args.Composite(state=arguments))
            return restored.state

    def forget(self, step: int) -> None:
        """Drops a step whose folder was renamed or removed."""
        self._scores.pop(step, None)
        self._manager.reload()

    @contextlib.contextmanager
    def _reading_the_folder(self):
        try:
            yield
        except (OSError, ValueError) as error:
            raise InputError(f"{self.folder}: the checkpoints cannot be read or written: {_reason(error)}") from error

    @contextlib.contextmanager
    def _read(self, step):
        # Orbax and tensorstore report damage by many kinds of exception, among them a plain Exception.
        try:
            with _quiet():
                yield
        except Exception as error:
            _ignore_late_reads()
            raise InputError(f"{self.folder / str(step)}: the checkpoint cannot be read: {_reason(error)}") from error

    def close(self) -> None:
        """Waits until every checkpoint has been written, and releases the folder.

        Raises:
            InputError: a checkpoint cannot be written.
        """
        try:
            with self._reporting_failed_writes():
                self._manager.close()
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Writing is finished even if the run has failed, but then the run's failure is the one to report.
        with contextlib.suppress(InputError) if kind else contextlib.nullcontext():
            self.close()

    @contextlib.contextmanager
    def _reporting_failed_writes(self):
        # Orbax reports a failed write by many kinds of exception, and often only at the next checkpoint.
        try:
            with _quiet():
                yield
        except Exception as error:
            # Where a folder could not be made, threads of Orbax wait twenty minutes for it, and the program for them.
            end_anyway(1)
            raise InputError(
                f"{self.folder}: a checkpoint cannot be written: {_reason(error)}; earlier checkpoints are untouched; "
                "fix this and run the same command again"
            ) from error


def saved_files(workdir: str | os.PathLike[str]) -> set[str]:
    """The paths of everything in the checkpoints of a workdir now: while a training run saves or deletes one, they change."""
    walk = os.walk(Path(workdir) / "checkpoints")
    return {os.path.join(folder, name) for folder, folders, files in walk for name in (*folders, *files)}


def _check_permissions(folder, write):
    """Refuses checkpoints that this user may not read or write, which would otherwise pass for damaged and be set aside."""
    mode = os.R_OK | os.X_OK | (os.W_OK if write else 0)
    within = glob.glob(os.path.join(glob.escape(str(folder)), "[0-9]*", "**"), recursive=True)
    for path in [str(folder), *(path for path in within if Path(path).relative_to(folder).parts[0].isdigit())]:
        # A run may delete a checkpoint while another program looks at it.
        if not os.access(path, mode if os.path.isdir(path) else os.R_OK) and os.path.exists(path):
            raise InputError(
                f"{path.rstrip(os.sep)}: this user may not read{' and write' if write else ''} it; nothing was changed; give "
                "permission (chmod, chown) and run the same command again"
            )


def _identity(folder):
    """What tells a folder from one that was put in its place; None where there is none."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_foreign(path):
    """Whether a folder is called like a checkpoint, finished or not, but has none of its content, or a step that no run has."""
    if not path.is_dir() or not re.fullmatch(rf"\d+|.*{re.escape(_UNFINISHED)}.*", path.name):
        return False
    if path.name.isdecimal() and int(path.name) > MOST_STEPS:
        return True
    if re.fullmatch(rf"\d+{re.escape(_UNFINISHED)}.*", path.name):
        return False  # may have been ended before anything was in it
    return not any((path / part).exists() for part in ("state", "meta", "_CHECKPOINT_METADATA"))


def _check_nothing_foreign(folder):
    """Refuses folders which Orbax would delete, since they are called like a checkpoint."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _is_foreign(path):
            raise InputError(f"{path}: is called like a checkpoint, but is none, and would be deleted; move it elsewhere")


def _state_handler():
    """A handler whose arrays are written by the first device that holds them.

    By default each of n devices writes 1/n of every array. The state is on all devices, and cutting it compiles a program for
    each size and each part while training waits.
    """
    handler = ocp.type_handlers.ArrayHandler(use_replica_parallel=False)
    registry = ocp.type_handlers.create_type_handler_registry(
        (jax.Array, handler), (np.ndarray, ocp.type_handlers.NumpyHandler())
    )
    return ocp.PyTreeCheckpointHandler(type_handler_registry=registry)


class _KeepBest:
    """A preservation policy of Orbax: the best checkpoint is kept, what is none, and links, which it cannot remove."""

    def __init__(self, checkpoints):
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints, *, context):
        folders = [self._checkpoints.folder / str(checkpoint.step) for checkpoint in checkpoints]
        foreign = list(map(_is_foreign, folders))
        own = [checkpoint.step for checkpoint, other in zip(checkpoints, foreign, strict=True) if not other]
        best = self._checkpoints.best_of(own)
        return [
            other or folder.is_symlink() or checkpoint.step == best
            for checkpoint, folder, other in zip(checkpoints, folders, foreign, strict=True)
        ]


def _ignore_late_reads():
    """Keeps Python from reporting reads that end after another read has failed: Orbax does not wait for them."""
    report: Any = sys.unraisablehook
    if getattr(report, "ignores_late_reads", False):
        return

    def hook(unraisable):
        if not isinstance(unraisable.exc_value, RuntimeError) or str(unraisable.exc_value) != "Event loop is closed":
            report(unraisable)

    hook.ignores_late_reads = True  # pyright: ignore[reportFunctionMemberAccess]
    sys.unraisablehook = hook


def _reason(error):
    """Why a read or write failed: the system's words if tensorstore quotes them, shapes that differ, or the first line."""
    quoted = re.search(r"([^:]+) \[os_error_code", str(error))
    if quoted:
        return quoted[1].strip()
    shapes = re.search(r"Requested shape: (\(.*?\)) is not compatible with the stored shape: (\(.*?\))", str(error))
    if shapes:
        return (
            f"it holds an array of shape {shapes[2]} where the network or the optimizer has {shapes[1]}; a part of your own "
            "must be the one that the run was trained with"
        )
    return first_line(error)


@contextlib.contextmanager
def _quiet():
    """Keeps Orbax's log messages off the terminal; errors still arrive as exceptions."""
    before = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    try:
        yield
    finally:
        absl_logging.set_verbosity(before)
