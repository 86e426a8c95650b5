"""Initial values from another run or a Darknet file: layers that fit are loaded, and the rest is listed."""

import math
import os
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from yolojax.errors import InputError
from yolojax.models.layers import layer_matches, layer_of
from yolojax.runtime.wording import counted
from yolojax.training.heads import adapt_head, is_head, shared_classes
from yolojax.training.trained import Trained, layers_of, read_trained

_NAMED = 10  # classes in a line


def initial_values(
    source: str | os.PathLike[str], fresh: dict[str, Any], model: nn.Module, class_names: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Loads the layers of a trained network that this network has with the same name and shape.

    Args:
        source: a workdir (its best checkpoint), WORKDIR/checkpoints/STEP, or Darknet's .weights of this network: complete, all
            but the heads (for another number of classes), or the backbone alone (darknet53.conv.74).
        fresh: {"params", "batch_stats"} of this network as it would start from scratch.
        model: this network.
        class_names: the classes of this network, to which the heads of the other one are adapted (`adapt_head`); without them,
            heads are loaded if they are for as many classes, whatever their names.

    Returns:
        (variables, lines): NumPy arrays in the tree of `fresh`, and lines to print that list which layers were loaded, adapted,
        start anew or were not used.

    Raises:
        InputError: the source is not a trained network, or none of its layers fits.
    """
    own_layers = layers_of(fresh)
    trained = read_trained(source, fresh, model, with_heads=bool(class_names))
    adapted = _adapted_heads(trained, own_layers, class_names) if class_names else {}
    loaded, not_loaded = {}, {}
    for layer, arrays in own_layers.items():
        shapes, trained_shapes = _shapes(arrays), _shapes(trained.layers.get(layer, {}))
        if shapes == trained_shapes and layer not in adapted:
            loaded[layer] = trained.layers[layer]
        elif layer not in adapted:
            why = f"{_outputs(trained_shapes)} there, {_outputs(shapes)} outputs here" if trained_shapes else "not there"
            not_loaded[layer] = f"{layer} ({why})"
    if not loaded and not adapted:
        raise InputError(
            f"--weights (config.init_from): no layer of {source} fits this network in name and shape; see config.model"
        )
    unused = [layer for layer in trained.layers if layer not in own_layers]
    taken = loaded | adapted

    def choose(path, leaf):
        layer = layer_of(path[1:])
        return np.asarray(taken[layer][path]) if layer in taken else leaf

    lines = [
        f"initial values from {trained.origin}:",
        f"  loaded      {len(loaded):3} layers, {sum(map(_floats, loaded.values())):,} floats",
        *_adapted_lines(trained, adapted, class_names),
        *_unnamed_lines(trained, class_names),
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
    layers = list(layers_of(variables))
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
    layers = list(layers_of(variables))
    decayed = [layer for layer in layers if layer_matches(layer, pattern)]
    if not decayed:
        raise InputError(
            f"config.optimizer.decay_layers={pattern!r} matches no layer; for no decay at all set "
            f"config.optimizer.weight_decay=0; the layers are {', '.join(layers)}"
        )
    return f"the kernels of {len(decayed)} of {len(layers)} layers decay"


def check_rates(rates: Sequence[tuple[str, float]], variables: dict[str, Any]) -> None:
    """Checks config.optimizer.layer_rates against the layers of a network.

    Args:
        rates: ((regular expression, factor), ...).
        variables: {"params", "batch_stats"} of the network.

    Raises:
        InputError: a pattern matches no layer.
    """
    layers = list(layers_of(variables))
    for pattern, _ in rates:
        if not any(layer_matches(layer, pattern) for layer in layers):
            raise InputError(f"config.optimizer.layer_rates: {pattern!r} matches no layer; the layers are {', '.join(layers)}")


def _adapted_heads(trained: Trained, own_layers: dict[str, dict], class_names: Sequence[str]) -> dict[str, dict]:
    """The trained heads for these classes; none if they are for these classes already, by name or, without names, by number."""
    if trained.classes is None or trained.names == tuple(class_names):
        return {}
    classes, shared = (trained.classes, len(class_names)), shared_classes(class_names, trained.names)
    if _are_unnamed(trained, class_names):
        return {}
    adapted = {}
    for layer, arrays in own_layers.items():
        theirs = trained.layers.get(layer, {})
        if theirs.keys() == arrays.keys() and all(map(is_head, arrays)):
            new = {path: adapt_head(np.asarray(array), classes, shared) for path, array in theirs.items()}
            if _shapes(new) == _shapes(arrays):
                adapted[layer] = new
    return adapted


def _are_unnamed(trained: Trained, class_names: Sequence[str]) -> bool:
    """Whether the classes of a trained network are taken for these ones by their numbers alone, for their names are not known.

    An imported network whose names were not given has the numbers of its classes in their place.
    """
    numbers = tuple(map(str, range(trained.classes or 0)))
    same_number = bool(class_names) and trained.classes == len(class_names) and trained.names != tuple(class_names)
    return same_number and trained.names in ((), numbers) and not shared_classes(class_names, trained.names)


def _unnamed_lines(trained: Trained, class_names: Sequence[str]) -> list[str]:
    if not _are_unnamed(trained, class_names):
        return []
    reason = f" ({trained.named_by})" if trained.named_by else ""
    return [
        f"  its {trained.classes} classes are taken for those of the data, in their order: their names are not known{reason}"
    ]


def _adapted_lines(trained: Trained, adapted: dict[str, dict], class_names: Sequence[str]) -> list[str]:
    if not adapted:
        return []
    shared = shared_classes(class_names, trained.names)
    kept = ", ".join(class_names[number] for number in list(shared)[:_NAMED]) + ", ..." * (len(shared) > _NAMED)
    known = f" ({trained.named_by})" if trained.named_by else ""
    return [
        f"  adapted     {len(adapted):3} layers: {', '.join(adapted)}, from {counted(trained.classes or 0, 'class')}{known} to "
        f"{len(class_names)}; kept are boxes, objectness and {counted(len(shared), 'class')}{': ' * bool(shared)}{kept}"
    ]


def _shapes(arrays):
    return {path: array.shape for path, array in arrays.items()}


def _outputs(shapes):
    return max(shape[-1] for shape in shapes.values())


def _floats(arrays):
    return sum(math.prod(array.shape) for array in arrays.values())
