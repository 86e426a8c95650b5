"""What a run checks of the user's own parts before it starts: by shapes alone, nothing is computed."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from yolojax.config import Config
from yolojax.config_values import unused_by_parts
from yolojax.data.assign_rule import no_targets
from yolojax.data.augment.order import build_more
from yolojax.errors import InputError, first_line
from yolojax.grid import AnchorGrid
from yolojax.inference import raw_heads
from yolojax.loss import LossTerms
from yolojax.loss_terms import named_terms
from yolojax.models import abstract_variables
from yolojax.parts import FIELDS, Parts, value_of
from yolojax.references import is_part
from yolojax.targets import Targets


def check_parts(config: Config, loss: Callable[..., Any], model: nn.Module, grid: AnchorGrid, parts: Parts) -> None:
    """Refuses parts that do not fit each other.

    Args:
        config: resolved configuration.
        loss: the run's loss.
        model: its network.
        grid: the grid of the network's input.
        parts: parts that a program gives as objects.

    Raises:
        InputError: heads that do not fit the classes, a loss that does not give terms of one number for each image, a metric to
            rank checkpoints by that the loss does not have, or functions that cannot be found or called.
    """
    build_more(config.data.augment, parts)
    targets = no_targets(config, grid, parts)
    if is_part(config.model.name):
        _check_heads(config, model, grid)
    if is_part(config.loss.name):
        _check_loss(config, loss, grid, targets)


def _check_heads(config: Config, model: nn.Module, grid: AnchorGrid) -> None:
    images = jax.ShapeDtypeStruct((1, *grid.size, 3), jnp.float32)
    variables = abstract_variables(model, grid.size)
    heads = jax.eval_shape(functools.partial(raw_heads, model), variables, images)
    expected = [(1, *shape, grid.anchors_per_scale, 5 + config.model.num_classes) for shape in grid.shapes]
    shapes = [head.shape for head in heads]
    if shapes != expected:
        raise InputError(
            f"config.model.name: {config.model.name} gives heads of shapes {shapes} for an image of {grid.size}, but a network "
            f"for {config.model.num_classes} classes needs {expected}: (B, rows, columns, anchors, 5 + classes), fine to coarse"
        )
    dtypes = {str(head.dtype) for head in heads}
    if dtypes != {"float32"}:
        raise InputError(
            f"config.model.name: {config.model.name} gives heads of {', '.join(sorted(dtypes))}; they must be float32, "
            "whatever the layers compute in: .astype(jnp.float32)"
        )


def _check_loss(config: Config, loss: Callable[..., Any], grid: AnchorGrid, targets: Targets) -> None:
    where = f"config.loss.name: {config.loss.name}"
    shapes = [(1, *shape, grid.anchors_per_scale, 5 + config.model.num_classes) for shape in grid.shapes]
    raw = tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    one: Any = Targets(*(np.zeros((1, *field.shape), field.dtype) for field in targets))
    try:
        terms = jax.eval_shape(lambda raw, targets: named_terms(loss(raw, targets, grid)), raw, one)
    except ValueError as error:
        raise InputError(f"{where}: {first_line(error)}") from error
    best_by = config.train.save_best_by
    if best_by in LossTerms._fields and best_by not in terms:
        raise InputError(
            f"config.train.save_best_by is {best_by!r}, but the terms of {config.loss.name} are {', '.join(terms)}"
        )


def own_parts_notes(config: Config) -> list[str]:
    """Lines that name the user's own parts of a run, and the fields that are set and used by none of them."""
    names = {kind: value_of(config, field) for kind, field in FIELDS.items()}
    named = {kind: ", ".join(value) if isinstance(value, tuple) else value for kind, value in names.items()}
    own = {kind: value for kind, value in named.items() if value and is_part(value.partition(", ")[0])}
    notes = [f"your own: {'; '.join(f'{kind} {value}' for kind, value in own.items())}"] if own else []
    unused = unused_by_parts(config)
    return notes + [f"set, but not used by these: {', '.join(f'config.{name}' for name in unused)}"] * bool(unused)
