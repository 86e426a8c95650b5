"""What a workdir says about its run: configuration, the values beside its checkpoints, and the trained network read back."""

import contextlib
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax

from yolojax.config import Config, checked, differences, to_dict
from yolojax.errors import InputError, first_line
from yolojax.grid import AnchorGrid
from yolojax.inference import Recipe
from yolojax.models import abstract_variables, build_grid, build_model
from yolojax.models.memory import check_fits
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.command import command, command_again
from yolojax.runtime.files import open_regular, write_json
from yolojax.runtime.hosts import check_same_on_all_hosts, is_first

if TYPE_CHECKING:
    from yolojax.runs.checkpoints import Checkpoints

# Where the data lies; `resume.check_data` tells whether it is still the same.
PLACES = ("data.train", "data.val", "data.test", "data.names")
# The step of a checkpoint that was not trained: of an imported network, or of the weights that a run starts from. It holds the
# variables alone.
IMPORTED = 0
# Seconds between attempts to read a checkpoint beside a run that saves and deletes.
_PATIENCE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


class Run(NamedTuple):
    """A trained network as it is read back from a workdir.

    Attributes:
        config: the resolved configuration.
        model: the network.
        grid: slots of the configured input size.
        variables: {"params", "batch_stats"} to evaluate, the averaged ones if the run averages.
        step: the step of the checkpoint.
        parts: parts of the run that a program has given as objects.
    """

    config: Config
    model: nn.Module
    grid: AnchorGrid
    variables: dict[str, Any]
    step: int
    parts: Parts = NO_PARTS

    @property
    def recipe(self) -> Recipe:
        """What turns images into detections with the network."""
        return Recipe.from_config(self.config, self.grid, self.model)


def read_config(workdir: str | os.PathLike[str]) -> Config:
    """Reads WORKDIR/config.json.

    Raises:
        InputError: it is missing or not a configuration.
    """
    path = Path(workdir) / "config.json"
    try:
        with open_regular(path) as file:
            values = json.loads(file.read().decode("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; train first: {command('train')} --workdir {workdir}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {first_line(error)}") from error
    try:
        return checked(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def is_imported(workdir: str | os.PathLike[str]) -> bool:
    """Whether a workdir holds a network that was imported; a folder that may not be read counts as missing.

    A run that starts from other weights has a checkpoint of step 0 too, but says in its configuration where they are from.
    """
    if not os.path.isdir(os.path.join(workdir, "checkpoints", str(IMPORTED))):
        return False
    try:
        return not read_config(workdir).init_from
    except InputError:
        return True


def load_run(
    workdir: str | os.PathLike[str],
    checkpoint: str | int = "best",
    sharding: jax.sharding.Sharding | None = None,
    parts: Parts = NO_PARTS,
) -> Run:
    """Reads a trained network from a workdir.

    Args:
        workdir: as `train_and_evaluate` leaves it.
        checkpoint: "best" (by `config.train.save_best_by`; the last one where none was evaluated), "last", or a step.
        sharding: the sharding of the variables; one device by default.
        parts: parts that the run was given as objects and that have no importable name.

    Raises:
        InputError: there is no run, no such checkpoint, one that cannot be read, or a network of the user's own that cannot be
            found.
    """
    config = read_config(workdir)
    names = len(config.data.class_names)
    if names != config.model.num_classes:
        raise InputError(
            f"{Path(workdir) / 'config.json'}: config.data.class_names has {names} names, but config.model.num_classes is "
            f"{config.model.num_classes}; put back the file as training wrote it"
        )
    model = build_model(config.model, parts)
    grid = build_grid(config.model, config.data.size, model=model)
    check_fits(f"{Path(workdir) / 'config.json'}: the network", model, grid, names)
    sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    step, variables = _read_checkpoint(workdir, checkpoint, config, model, sharding)
    return Run(config, model, grid, variables, step, parts)


def _read_checkpoint(
    workdir: str | os.PathLike[str], wanted: str | int, config: Config, model: nn.Module, sharding: jax.sharding.Sharding
) -> tuple[int, dict[str, Any]]:
    """The step and the variables of a checkpoint; read again where a training run has deleted it meanwhile for a newer one."""
    from yolojax.runs.checkpoints import Checkpoints, saved_files

    for patience in (*_PATIENCE, None):
        before = saved_files(workdir)
        try:
            with contextlib.closing(Checkpoints(workdir, best_by=config.train.save_best_by, read_only=True)) as checkpoints:
                step = _find_step(checkpoints, wanted)
                return step, restore_variables(checkpoints, step, config, model, sharding)
        except InputError:
            if patience is None:
                raise
            time.sleep(patience)
            if saved_files(workdir) == before:
                raise
    raise AssertionError("the last attempt returns or raises")


def restore_variables(
    checkpoints: "Checkpoints", step: int, config: Config, model: nn.Module, sharding: jax.sharding.Sharding
) -> dict[str, Any]:
    """Reads the variables to evaluate, {"params", "batch_stats"}: the averaged ones where the run averages.

    Args:
        checkpoints: the checkpoints of the run.
        step: the step of the checkpoint.
        config: resolved configuration of the run.
        model: its network.
        sharding: the sharding of the variables.
    """
    abstract = abstract_arrays(abstract_variables(model, config.data.size), sharding)
    if config.optimizer.ema_decay and step != IMPORTED:
        return checkpoints.restore(step, {"ema": abstract})["ema"]
    return checkpoints.restore(step, abstract)


def make_meta(
    config: Config,
    metrics: Mapping[str, float],
    pending: list[dict[str, Any]],
    scores: Sequence[float | None] = (),
    data: Mapping[str, Any] | None = None,
    skipped: int = 0,
    grid: AnchorGrid | None = None,
) -> dict[str, Any]:
    """What is saved beside the arrays of a checkpoint: configuration, class names and anchors, and the arguments.

    Args:
        config: resolved configuration.
        metrics: numbers of the validation at this step, {} if there was none.
        pending: metrics of the steps since the last line of the log.
        scores: the scores of all validations of the run so far, by `selection.score`.
        data: {split: fingerprint of its records, or None}.
        skipped: number of updates skipped because their loss or gradient was not finite.
        grid: slots of the network's input; by default those of the configuration.
    """
    grid = grid or build_grid(config.model, config.data.size)
    return {
        "config": to_dict(config),
        "class_names": list(config.data.class_names),
        "anchors": [list(map(list, scale)) for scale in grid.anchors],
        "xy_scales": list(grid.xy_scales),
        "squared_sizes": grid.squared_sizes,
        "metrics": metrics,
        "pending": pending,
        "scores": list(scores),
        "data": data or {},
        "skipped": skipped,
    }


def abstract_arrays(tree: Any, sharding: jax.sharding.Sharding) -> Any:
    """Shapes and types of a tree of arrays, each with the sharding."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)


def _find_step(checkpoints: "Checkpoints", wanted: str | int) -> int:
    steps = checkpoints.steps()
    if not steps:
        raise InputError(f"{checkpoints.folder} has no checkpoint yet; train first")
    if wanted == "last":
        return steps[-1]
    if wanted == "best":
        return checkpoints.best_or_last_step()
    if not str(wanted).isdigit() or int(wanted) not in steps:
        raise InputError(f"{checkpoints.folder} has no checkpoint {wanted!r}: best, last, {', '.join(map(str, steps))}")
    return int(wanted)


def open_workdir(config: Config, workdir: str | os.PathLike[str], keep_every: int = 0) -> "Checkpoints":
    """Makes a workdir, or opens one again.

    Args:
        config: resolved configuration; written into a new workdir.
        workdir: the folder.
        keep_every: as for `Checkpoints`.

    Returns:
        Its checkpoints.

    Raises:
        InputError: it cannot be written, holds files that no run has written but a run would replace, or those of a run whose
            checkpoints are gone, or has checkpoints of a configuration that differs in more than the paths of the data.
    """
    from yolojax.runs.checkpoints import Checkpoints

    try:
        if is_first():
            Path(workdir).mkdir(parents=True, exist_ok=True)
            _refuse_to_lose_files(Path(workdir))
        checkpoints = Checkpoints(workdir, best_by=config.train.save_best_by, keep_every=keep_every)
        begun = checkpoints.steps() != [] and not (checkpoints.steps() == [IMPORTED] and is_imported(workdir))
        if is_first() and not begun:
            write_json(Path(workdir) / "config.json", to_dict(config))
    except OSError as error:
        raise InputError(f"{workdir} cannot be written: {error.strerror or error}") from error
    # No process gets past this line before the first has written.
    check_same_on_all_hosts({"the checkpoints that they see in the workdir": checkpoints.steps()})
    if not (Path(workdir) / "config.json").exists():
        raise InputError(f"{workdir} is not the workdir of process 0; several hosts need one workdir that all of them see")
    if not begun:
        return checkpoints
    changed = [change for change in differences(read_config(workdir), config) if change.partition(":")[0] not in PLACES]
    if changed:
        raise InputError(
            f"{workdir} holds a run of another configuration ({'; '.join(changed)}); leave the configuration as it was to "
            f"resume this run, or train on from its weights in a new workdir: {continue_command(workdir)}"
        )
    return checkpoints


def _refuse_to_lose_files(folder: Path) -> None:
    """Refuses a folder with files that a new run would replace: those of others, and those of a run of which parts are gone.

    A run that ended before its first checkpoint has a configuration, perhaps metrics, and an empty folder of checkpoints.

    Raises:
        InputError: such a file, or a config.json that is no configuration or is gone.
    """
    evaluations = list(filter(_has_content, (folder / "eval").glob("*/*")))
    log = list(filter(_has_content, [folder / "metrics.jsonl"]))
    checkpoints = folder / "checkpoints"
    kept = os.listdir(checkpoints) if checkpoints.is_dir() else None
    if os.path.lexists(folder / "config.json"):
        try:
            read_config(folder)
        except InputError as error:
            raise InputError(f"{error}; if no run has written it, name another folder with --workdir") from error
        lost = evaluations + log if kept is None else [] if kept else evaluations
        if lost:
            raise InputError(
                f"{checkpoints}: the checkpoints of this run are gone, and {lost[0]} would be lost: put them back to resume, "
                "or name another folder with --workdir"
            )
    elif any(map(str.isdecimal, kept or ())):
        raise InputError(
            f"{folder / 'config.json'}: the configuration of the run whose checkpoints are in {checkpoints} is gone: put it "
            "back to resume, or name another folder with --workdir"
        )
    elif others := log + evaluations:
        raise InputError(
            f"{others[0]} would be lost, and as there is no config.json in {folder}, no run has written it: name another "
            "folder with --workdir"
        )


def _has_content(path: Path) -> bool:
    """Whether there is something to lose: a file that is not empty, or a link to whatever."""
    return path.is_symlink() or (path.is_file() and path.stat().st_size > 0)


def continue_command(workdir: str | os.PathLike[str]) -> str:
    """Returns the command that trains on in a new workdir, from the weights of a run and otherwise with the flags given now.

    Where --weights or --cfg gave the run its network, --weights gives it to the new one.
    """
    stem = os.path.normpath(workdir)
    new = next(name for number in itertools.count(2) if not os.path.lexists(name := f"{stem}_{number}"))
    source = {"weights": None, "config_init_from": os.fspath(workdir)}
    if any(re.match(r"--?(weights|cfg)(=|$)", word) for word in sys.argv):
        source = {"weights": os.fspath(workdir), "config_init_from": None}
    return command_again("train", workdir=new, cfg=None, **source)


def update_places(config: Config, workdir: str | os.PathLike[str]) -> None:
    """Writes the configuration of a resumed run into its workdir again if the paths of its data have changed.

    Raises:
        InputError: it cannot be written.
    """
    if is_first() and differences(read_config(workdir), config):
        try:
            write_json(Path(workdir) / "config.json", to_dict(config))
        except OSError as error:
            raise InputError(f"{workdir} cannot be written: {error.strerror or error}") from error
