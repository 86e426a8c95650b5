"""Initial values from another run or a Darknet file: what fits is loaded, the rest starts anew, and all of it is said."""

import math
import os
from pathlib import Path

import jax
import numpy as np

from yolojax.darknet.detector import finite
from yolojax.darknet.weights import read_all_but_heads, read_backbone, read_weights
from yolojax.errors import InputError
from yolojax.models.layers import layer_matches, layer_of
from yolojax.runs.workdir import load_run


def initial_values(source, fresh, model):
    """Takes over from a trained network the layers that this one has in the same shape.

    Args:
        source: a workdir (its best checkpoint), WORKDIR/checkpoints/STEP, or Darknet's .weights of this network: all of it, all
            but the heads (of another number of classes), or the backbone alone (darknet53.conv.74).
        fresh: {"params", "batch_stats"} of this network as it would start from scratch.
        model: this network.

    Returns:
        (variables, lines): NumPy arrays in the tree of `fresh`, and what was loaded, starts anew or was not used, for people.

    Raises:
        InputError: no trained network there, or one of which no layer fits.
    """
    ours = _layers(fresh)
    origin, theirs = _from_darknet(source, fresh, model) if str(source).endswith(".weights") else _from_run(source)
    loaded, anew = {}, {}
    for layer, arrays in ours.items():
        shapes, found = _shapes(arrays), _shapes(theirs.get(layer, {}))
        if shapes == found:
            loaded[layer] = theirs[layer]
        else:
            why = f"{_outputs(found)} there, {_outputs(shapes)} outputs here" if found else "not there"
            anew[layer] = f"{layer} ({why})"
    if not loaded:
        raise InputError(f"config.init_from: no layer of {source} fits this network, by its name and shape; see config.model")
    unused = [layer for layer in theirs if layer not in ours]

    def choose(path, leaf):
        layer = layer_of(path[1:])
        return np.asarray(loaded[layer][path]) if layer in loaded else leaf

    lines = [
        f"initial values from {origin}:",
        f"  loaded      {len(loaded):3} layers, {sum(map(_floats, loaded.values())):,} floats",
        f"  start anew  {len(anew):3} layers{': ' * bool(anew)}{', '.join(anew.values())}",
        f"  not used    {len(unused):3} layers{': ' * bool(unused)}{', '.join(unused)}",
    ]
    return jax.tree_util.tree_map_with_path(choose, fresh), lines


def check_freeze(pattern, variables):
    """How many layers a pattern holds, as a line for people.

    Raises:
        InputError: it holds none of them, or all.
    """
    layers = list(_layers(variables))
    held = [layer for layer in layers if layer_matches(layer, pattern)]
    if len(held) in (0, len(layers)):
        which = "all layers, and nothing would be trained" if held else "no layer"
        raise InputError(f"config.train.freeze={pattern!r} holds {which}; the layers are {', '.join(layers)}")
    return f"{len(held)} of {len(layers)} layers are frozen"


def check_decay(pattern, variables):
    """How many layers a pattern has decay, as a line for people.

    Raises:
        InputError: it has none of them decay.
    """
    layers = list(_layers(variables))
    decayed = [layer for layer in layers if layer_matches(layer, pattern)]
    if not decayed:
        raise InputError(
            f"config.optimizer.decay_layers={pattern!r} is found in no layer; set config.optimizer.weight_decay=0 for no decay "
            f"at all; the layers are {', '.join(layers)}"
        )
    return f"the kernels of {len(decayed)} of {len(layers)} layers decay"


def _from_run(source):
    """What to call the source, and its layers."""
    path = Path(source)
    if (path / "config.json").is_file():
        run = load_run(path)
    elif path.is_dir() and path.parent.name == "checkpoints" and path.name.isdigit():
        run = load_run(path.parent.parent, path.name)
    else:
        what = "is no workdir, no checkpoint of one and no .weights file" if os.path.exists(source) else "does not exist"
        raise InputError(f"config.init_from: {source} {what}: give the folder of a run, or one of its checkpoints/STEP")
    return f"{source}, step {run.step}", _layers(run.variables)


def _from_darknet(source, fresh, model):
    """What to call the file, and those layers that it holds."""
    problem = None
    ways = ((read_weights, ()), (read_all_but_heads, (fresh,)), (read_backbone, (fresh,)))
    for read, rest in ways:
        try:
            weights = finite(source, read(source, model, *rest))
            break
        except InputError as error:
            # What the file lacks to be the whole network says most about it.
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
