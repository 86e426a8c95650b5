"""Networks that training can start from: those of a run, and Darknet's files of weights."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from yolojax.darknet.beside import find_names, is_weights
from yolojax.darknet.detector import finite
from yolojax.darknet.weights import Weights, read_all_but_heads, read_backbone, read_weights, read_with_own_heads
from yolojax.errors import InputError
from yolojax.models.layers import layer_of
from yolojax.runs.workdir import load_run


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        origin: what the printed list calls it.
        layers: {layer: {path: array}}.
        classes: how many classes it has; None where no head was read.
        names: the names of its classes; () where they are not known.
        named_by: where the names are from, for the printed list.
    """

    origin: str
    layers: dict[str, dict[Any, Any]]
    classes: int | None
    names: tuple[str, ...]
    named_by: str = ""


def read_trained(source: str | os.PathLike[str], fresh: dict[str, Any], model: nn.Module, *, with_heads: bool) -> Trained:
    """Reads a trained network.

    Args:
        source: a workdir (its best checkpoint), WORKDIR/checkpoints/STEP, or a file of Darknet's weights for the network:
            complete, for any number of classes, or of its first layers alone.
        fresh: {"params", "batch_stats"} of the network as it would start from scratch.
        model: the network.
        with_heads: whether heads are read from a file of weights that is for another number of classes.

    Raises:
        InputError: it cannot be read, or is not of this network.
    """
    if is_weights(source):
        return _from_darknet(source, fresh, model, with_heads)
    return _from_run(source)


def layers_of(variables: Any) -> dict[str, dict[Any, Any]]:
    """{layer: {path: array}}, parameters and batch statistics, in the order of the tree; see `models.layers.layer_of`."""
    layers = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        layers.setdefault(layer_of(path[1:]), {})[path] = leaf
    return layers


def run_of(source: str | os.PathLike[str]) -> tuple[Path, str]:
    """The workdir of a source of initial values, and the checkpoint that is meant.

    Args:
        source: a workdir, for its best checkpoint, or WORKDIR/checkpoints/STEP; "best" or "last" may stand for the step.

    Raises:
        InputError: it is neither.
    """
    path = Path(source)
    if (path / "config.json").is_file():
        return path, "best"
    if path.parent.name == "checkpoints" and ((path.is_dir() and path.name.isdigit()) or path.name in ("best", "last")):
        return path.parent.parent, path.name
    what = "is not a workdir, checkpoint or .weights file" if os.path.exists(source) else "does not exist"
    raise InputError(f"--weights (config.init_from): {source} {what}: give the folder of a run, or one of its checkpoints/STEP")


def _from_run(source: str | os.PathLike[str]) -> Trained:
    run = load_run(*run_of(source))
    names = tuple(run.config.data.class_names)
    return Trained(f"{source}, step {run.step}", layers_of(run.variables), len(names), names)


def _from_darknet(source: str | os.PathLike[str], fresh: dict[str, Any], model: nn.Module, with_heads: bool) -> Trained:
    attempts: list[Callable[[], tuple[Weights, int | None]]]
    if with_heads:
        attempts = [lambda: read_with_own_heads(source, model)]
    else:
        attempts = [lambda: (read_weights(source, model), None), lambda: (read_all_but_heads(source, model, fresh), None)]
    problem = None
    for read in (*attempts, lambda: (read_backbone(source, model, fresh), None)):
        try:
            weights, classes = read()
            break
        except InputError as error:
            # Why the file is not the whole network is the most helpful of the three messages.
            problem = problem or error
    else:
        raise InputError(f"--weights (config.init_from): {problem}")
    layers = layers_of(finite(source, weights).variables)
    names, named_by = find_names(source, classes) if with_heads and classes else ((), "")
    return Trained(str(source), {name: layers[name] for name in weights.loaded}, classes, names, named_by)
