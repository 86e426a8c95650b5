"""The mean loss of a batch and its gradient: with any module, in parts, and over the devices of a named axis."""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from yolojax.grid import AnchorGrid
from yolojax.loss_terms import LossValue, named_terms
from yolojax.models.declared import declares, train_argument
from yolojax.models.layers import layer_matches, layer_of
from yolojax.runtime.axes import AxisName, synchronized, varying


@dataclasses.dataclass(frozen=True)
class Objective:
    """The mean loss of images as a function of parameters, batch statistics, batch and dropout key.

    Attributes:
        model: the network.
        grid: AnchorGrid of the images' size.
        loss: function of (raw heads, targets, grid) to terms, as `named_terms` takes them.
        axis_name: axis over which the loss is averaged, or None.
        frozen: regular expression of the layers that do not change.
        remat: whether the gradient recomputes the activations.
        synchronize: whether the network takes its batch statistics on each device alone.
    """

    model: nn.Module
    grid: AnchorGrid
    loss: Callable[..., LossValue]
    axis_name: AxisName | None
    frozen: str
    remat: bool
    synchronize: bool

    def __call__(self, params: Any, batch_stats: Any, batch: Any, dropout: jax.Array) -> tuple[jax.Array, Any]:
        """The mean loss of this device's images.

        Returns:
            (scalar, (the mean of each term, updated batch statistics)).
        """
        images, targets = batch
        params = keep_frozen(params, jax.lax.stop_gradient(params), self.frozen)

        def forward(params, images, dropout):
            return self.model.apply(
                {"params": params, "batch_stats": batch_stats},
                images,
                **train_argument(self.model, True),
                mutable=["batch_stats"],
                # Flax gives the stream "params" to layers that ask for one of another name.
                rngs={"dropout": dropout, "params": jax.random.fold_in(dropout, 1)},
            )

        raw, updates = (jax.checkpoint(forward) if self.remat else forward)(params, images, dropout)
        raw = tuple(raw) if isinstance(raw, list) else raw
        terms = named_terms(self.loss(raw, targets, self.grid), images.shape[0])
        means = {name: term.mean() for name, term in terms.items()}
        stats = keep_frozen(updates.get("batch_stats", batch_stats), batch_stats, self.frozen)
        if self.axis_name is not None:
            stats = synchronized(stats, self.axis_name, same=not self.synchronize)
        return functools.reduce(operator.add, means.values()), (means, stats)


def make_objective(
    model: nn.Module,
    grid: AnchorGrid,
    loss: Callable[..., LossValue],
    *,
    axis_name: AxisName | None,
    frozen: str,
    remat: bool,
) -> Objective:
    """The Objective of a network, which is told what it declares; the rest is done around it.

    Args:
        model: any Flax module. Fields `axis_name`, `frozen` and `remat` that it has are set.
        grid: AnchorGrid of the images' size.
        loss: as for `train_step`.
        axis_name: as for `train_step`.
        frozen: as for `train_step`.
        remat: as for `train_step`.
    """
    wanted: dict[str, Any] = {"axis_name": axis_name, "frozen": frozen, "remat": remat}
    fields = {name: value for name, value in wanted.items() if value and declares(model, name)}
    model = model.clone(**fields) if fields else model
    return Objective(
        model, grid, loss, axis_name, frozen, remat and "remat" not in fields, synchronize="axis_name" not in fields
    )


def gradients_of(
    objective: Objective, params: Any, batch_stats: Any, parts: Any, accumulate: int
) -> tuple[jax.Array, dict[str, jax.Array], Any, Any]:
    """The gradients of the mean loss, over all devices of the axis.

    Args:
        objective: the loss of some images.
        params: tree of parameters.
        batch_stats: batch statistics.
        parts: (batch, dropout key), or with `accumulate` a stack of them.
        accumulate: the number of parts that follow one another.

    Returns:
        The loss, its terms by name, the gradients, and the updated batch statistics; the same on all devices.
    """
    axis_name = objective.axis_name
    gradient = jax.value_and_grad(objective, has_aux=True)
    if axis_name is not None:
        params = varying(params, axis_name)
    if accumulate == 1:
        (total, (terms, batch_stats)), gradients = gradient(params, batch_stats, *parts)
    else:

        def add(carry, part):
            batch_stats, sums = carry
            (total, (terms, batch_stats)), gradients = gradient(params, batch_stats, *part)
            return (batch_stats, jax.tree.map(jnp.add, sums, (total, terms, gradients))), None

        first = jax.tree.map(lambda x: x[0], parts)
        total, (terms, _) = jax.eval_shape(objective, params, batch_stats, *first)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (total, terms, params))
        if axis_name is not None:
            zeros = varying(zeros, axis_name)
        (batch_stats, sums), _ = jax.lax.scan(add, (batch_stats, zeros), parts)
        total, terms, gradients = jax.tree.map(lambda x: x / accumulate, sums)
    if axis_name is not None:
        total, terms, gradients = jax.lax.pmean((total, terms, gradients), axis_name)
    return total, terms, gradients, batch_stats


def loss_function(objective: Objective, batch_stats: Any, parts: Any, accumulate: int) -> Callable[[Any], jax.Array]:
    """The mean loss of a batch over all devices as a function of the parameters, for optimizers that ask for more of it.

    Args:
        objective: the loss of some images.
        batch_stats: batch statistics.
        parts: as for `gradients_of`.
        accumulate: as for `gradients_of`.

    Returns:
        The function. Its gradient is the mean over all devices too.
    """

    def here(params):
        if accumulate == 1:
            return objective(params, batch_stats, *parts)[0]
        return jax.lax.map(lambda part: objective(params, batch_stats, *part)[0], parts).mean()

    axis_name = objective.axis_name
    if axis_name is None:
        return here

    # Differentiating through a mean over devices means different things under pmap and shard_map.
    @jax.custom_vjp
    def everywhere(params):
        return jax.lax.pmean(here(params), axis_name)

    def forward(params):
        outcome = jax.value_and_grad(here)(varying(params, axis_name))
        return jax.lax.pmean(outcome, axis_name)

    def backward(gradients, scale):
        return (jax.tree.map(lambda gradient: (scale * gradient).astype(gradient.dtype), gradients),)

    everywhere.defvjp(forward, backward)
    return everywhere


def keep_frozen(new: Any, old: Any, frozen: str) -> Any:
    """The leaves of `new`, but of `old` in layers whose path the regular expression `frozen` matches."""
    # Selected, not computed: d * x + (1 - d) * x is not always x.
    return jax.tree_util.tree_map_with_path(lambda path, n, o: o if layer_matches(layer_of(path), frozen) else n, new, old)


def split_batch(batch: Any, parts: int) -> Any:
    """Splits a batch into parts; every device holds an equal share of each part.

    Args:
        batch: tree of arrays (B, ...).
        parts: how many; B must be a multiple of it.

    Returns:
        The tree with arrays (parts, B / parts, ...).
    """

    def split(x):
        # Image n goes to part n % parts, so that a batch which is sharded over devices in order need not move.
        return x.reshape(x.shape[0] // parts, parts, *x.shape[1:]).swapaxes(0, 1)

    return jax.tree.map(split, batch)
