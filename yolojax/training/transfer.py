"""Initial values from another run or a Darknet file: layers that fit are loaded, and the rest is listed."""

import math
import os
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from yolojax.darknet.detector import finite
from yolojax.darknet.weights import read_all_but_heads, read_backbone, read_weights
from yolojax.errors import InputError
from yolojax.models.layers import layer_matches, layer_of
from yolojax.runs.workdir import load_run


def initial_values(source: str | os.PathLike[str], fresh: dict[str, Any], model: nn.Module) -> tuple[dict[str, Any], list[str]]:
    """Loads the layers of a trained network that this network has with the same name and shape.

    Args:
        source: a workdir (its best checkpoint), WORKDIR/checkpoints/STEP, or Darknet's .weights of this network: complete, all
            but the heads (for another number of classes), or the backbone alone (darknet53.conv.74).
        fresh: {"params", "batch_stats"} of this network as it would start from scratch.
        model: this network.

    Returns:
        (variables, lines): NumPy arrays in the tree of `fresh`, and lines to print that list which layers were loaded, start
        anew or were not used.

    Raises:
        InputError: the source is not a trained network, or none of its layers fits.
    """
    own_layers = _layers(fresh)
    origin, trained = _from_darknet(source, fresh, model) if str(source).endswith(".weights") else _from_run(source)
    loaded, not_loaded = {}, {}
    for layer, arrays in own_layers.items():
        shapes, trained_shapes = _shapes(arrays), _shapes(trained.get(layer, {}))
        if shapes == trained_shapes:
            loaded[layer] = trained[layer]
        else:
            why = f"{_outputs(trained_shapes)} there, {_outputs(shapes)} outputs here" if trained_shapes else "not there"
            not_loaded[layer] = f"{layer} ({why})"
    if not loaded:
        raise InputError(f"config.init_from: no layer of {source} fits this network in name and shape; see config.model")
    unused = [layer for layer in trained if layer not in own_layers]

    def choose(path, leaf):
        layer = layer_of(path[1:])
        return np.asarray(loaded[layer][path]) if layer in loaded else leaf

    lines = [
        f"initial values from {origin}:",
        f"  loaded      {len(loaded):3} layers, {sum(map(_floats, loaded.values())):,} floats",
        f"  start anew  {len(not_loaded):3} layers{': ' * bool(not_loaded)}{', '.join(not_loaded.values())}",
        f"  not used    {len(unused):3} layers{': ' * bool(unused)}{', '.join(unused)}",
    ]
    return jax.tree_util.tree_map_with_path(choose, fresh), lines


def check_freeze(pattern: str, variables: dict[str, Any]) -> str:
    """Checks config.train.freeze against the layers of a network.

    Args:
        pattern: regular expression of the layers to freeze.
        variables: {"params", "batch_stats"} of the network.

    Returns:
        A line to print: how many layers are frozen.

    Raises:
        InputError: the pattern matches no layer, or all of them.
    """
    layers = list(_layers(variables))
    frozen = [layer for layer in layers if layer_matches(layer, pattern)]
    if len(frozen) in (0, len(layers)):
        which = "all layers, so nothing would be trained" if frozen else "no layer"
        raise InputError(f"config.train.freeze={pattern!r} matches {which}; the layers are {', '.join(layers)}")
    return f"{len(frozen)} of {len(layers)} layers are frozen"


def check_decay(pattern: str, variables: dict[str, Any]) -> str:
    """Checks config.optimizer.decay_layers against the layers of a network.

    Args:
        pattern: regular expression of the layers whose kernels decay.
        variables: {"params", "batch_stats"} of the network.

    Returns:
        A line to print: the kernels of how many layers decay.

    Raises:
        InputError: the pattern matches no layer.
    """
    layers = list(_layers(variables))
    decayed = [layer for layer in layers if layer_matches(layer, pattern)]
    if not decayed:
        raise InputError(
            f"config.optimizer.decay_layers={pattern!r} matches no layer; for no decay at all set "
            f"config.optimizer.weight_decay=0; the layers are {', '.join(layers)}"
        )
    return f"the kernels of {len(decayed)} of {len(layers)} layers decay"


def _from_run(source):
    """The source's name for the printed list, and its layers."""
    path = Path(source)
    if (path / "config.json").is_file():
        run = load_run(path)
    elif path.is_dir() and path.parent.name == "checkpoints" and path.name.isdigit():
        run = load_run(path.parent.parent, path.name)
    else:
        what = "is not a workdir, checkpoint or .weights file" if os.path.exists(source) else "does not exist"
        raise InputError(f"config.init_from: {source} {what}: give the folder of a run, or one of its checkpoints/STEP")
    return f"{source}, step {run.step}", _layers(run.variables)


def _from_darknet(source, fresh, model):
    """The file's name for the printed list, and the layers that it holds."""
    problem = None
    readers: tuple[tuple[Any, tuple], ...] = (
        (read_weights, ()),
        (read_all_but_heads, (fresh,)),
        (read_backbone, (fresh,)),
    )
    for read, arguments in readers:
        try:
            weights = finite(source, read(source, model, *arguments))
            break
        except InputError as error:
            # Why the file is not the whole network is the most helpful of the three messages.
            problem = problem or error
    else:
        raise InputError(f"config.init_from: {problem}")
    layers = _layers(weights.variables)
    return source, {name: layers[name] for name in weights.loaded}


def _layers(variables):
    """{layer: {path: array}}, parameters and batch statistics, in the order of the tree."""
    layers = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        layers.setdefault(layer_of(path[1:]), {})[path] = leaf
    return layers


def _shapes(arrays):
    return {path: array.shape for path, array in arrays.items()}


def _outputs(shapes):
    return max(shape[-1] for shape in shapes.values())


def _floats(arrays):
    return sum(math.prod(array.shape) for array in arrays.values())
