"""The training step: a pure function of global arrays, and its compiled form on a mesh of devices."""

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import export
from jax.typing import ArrayLike

from yolojax import moved
from yolojax.data.batch import Batch, ValBatch
from yolojax.explicit import auto_sharded
from yolojax.grid import AnchorGrid
from yolojax.loss_terms import LossValue
from yolojax.models.batch_norm import by_row
from yolojax.runtime.axes import AxisName
from yolojax.runtime.compiler_options import compiler_options, keeping_barriers
from yolojax.runtime.devices import make_mesh, shardings
from yolojax.targets import Targets
from yolojax.training.gradients import gradients_of, keep_frozen, loss_function, make_objective, split_batch
from yolojax.training.updates import init_optimizer, propose, rate_factor


@functools.partial(export.register_namedtuple_serialization, serialized_name="yolojax.training.step.TrainState")
class TrainState(NamedTuple):
    """Everything that training changes; arrays only.

    Attributes:
        step: scalar int32, the number of steps so far, skipped updates included.
        params: float32 parameters.
        batch_stats: float32 running statistics of batch normalization.
        opt_state: state of the optimizer.
        ema: moving averages {"params", "batch_stats"}, or None if nothing is averaged.
    """

    step: jax.Array
    params: dict[str, Any]
    batch_stats: dict[str, Any]
    opt_state: optax.OptState
    ema: dict[str, Any] | None


# The host side itself does not import JAX.
for _kind in (Batch, ValBatch):
    export.register_namedtuple_serialization(_kind, serialized_name=f"yolojax.data.batch.{_kind.__name__}")


def create_state(variables: dict[str, Any], optimizer: optax.GradientTransformation, *, average: bool = False) -> TrainState:
    """Makes the TrainState of step 0.

    Args:
        variables: {"params", "batch_stats"}, the initial ones of the network; without batch normalization {"params"} will do.
        optimizer: optax transformation.
        average: whether to keep moving averages.
    """
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    # Copies: the step donates the whole state, and no buffer can be donated twice.
    ema = jax.tree.map(jnp.array, {"params": params, "batch_stats": batch_stats}) if average else None
    return TrainState(jnp.zeros((), jnp.int32), params, batch_stats, init_optimizer(optimizer, params), ema)


def eval_variables(state: TrainState) -> dict[str, Any]:
    """The variables of a state to evaluate, {"params", "batch_stats"}: the averages if it has any."""
    return state.ema or {"params": state.params, "batch_stats": state.batch_stats}


@auto_sharded(rows=False)
def train_step(
    state: TrainState,
    batch: tuple[ArrayLike, Targets],
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    grid: AnchorGrid,
    loss: Callable[..., LossValue],
    axis_name: AxisName | None = None,
    ema_decay: float = 0.0,
    ema_warmup_steps: float = 0.0,
    frozen: str = "",
    accumulate: int = 1,
    remat: bool = False,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Makes one update; a pure function.

    If the loss or the gradient is not finite, the update is skipped: only the step number changes.

    Under `jax.jit` with the batch sharded over a mesh, the mean loss and the batch statistics are global automatically. Under
    `jax.pmap` or `jax.shard_map`, where each device sees only its part of the batch, `axis_name` makes them global.

    Args:
        state: what is updated.
        batch: images (B, H, W, 3), uint8 or float32 in [0, 1], and batched Targets.
        model: the network.
        optimizer: optax transformation.
        grid: AnchorGrid of the images' size.
        loss: function of (raw heads, targets, grid) to terms (B,), whose sum is the loss: LossTerms, another NamedTuple, a
            mapping by name, or one array (`yolojax.loss_terms.named_terms`).
        axis_name: axis over which gradients, metrics and batch statistics are averaged.
        ema_decay: d of ema = d * ema + (1 - d) * new, for a state that has an ema.
        ema_warmup_steps: s; if it is not 0, update n (from 1) uses d * (1 - exp(-n / s)) instead of d, so that the initial
            values fade quickly (Ge et al. 2021, arXiv:2107.08430, use s = 2000 in their program).
        frozen: regular expression; layers whose path, such as "backbone/stem", matches do not change by a single bit: neither
            their parameters nor their batch statistics nor the averages of both.
        accumulate: k; the batch goes through the network in k parts, one after the other, and their gradients are averaged
            (Darknet's subdivisions). Each part is normalized by its own batch statistics, and updates the running ones.
        remat: recompute activations for the gradient instead of storing them.

    Returns:
        (state, metrics). The metrics are scalars: "loss" and every term of the loss under its name (means over the batch), for
        LossTerms "box", "objectness" and "classification"; "gradient_norm" (before clipping), "skipped" (1 if the update was
        skipped, else 0), and with a line search "rate_factor", by which it multiplied the learning rate.

    Raises:
        ValueError: the loss returns something that `named_terms` refuses.
    """
    objective = make_objective(model, grid, loss, axis_name=axis_name, frozen=frozen, remat=remat)
    dropout = jax.random.fold_in(jax.random.key(0), state.step)
    if axis_name is not None:
        dropout = jax.random.fold_in(dropout, jax.lax.axis_index(axis_name))
    parts = (batch, dropout)
    if accumulate > 1:
        parts = (split_batch(batch, accumulate), jax.random.split(dropout, accumulate))

    total, terms, gradients, batch_stats = gradients_of(objective, state.params, state.batch_stats, parts, accumulate)
    metrics = {**terms, "loss": total, "gradient_norm": optax.tree.norm(gradients)}
    loss_of = loss_function(objective, state.batch_stats, parts, accumulate)
    # XLA removes what the optimizer does not use.
    updates, opt_state = propose(
        optimizer,
        gradients,
        state.opt_state,
        state.params,
        value=total,
        grad=gradients,
        value_fn=loss_of,
        grad_fn=lambda params, *_: jax.grad(loss_of)(params),
    )
    factor = rate_factor(opt_state)
    if factor is not None:
        metrics["rate_factor"] = factor
    params = keep_frozen(optax.apply_updates(state.params, updates), state.params, frozen)
    ema = _average(state, params, batch_stats, ema_decay, ema_warmup_steps, frozen)
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
    metrics["skipped"] = jnp.where(finite, 0, 1)
    new = TrainState(state.step, params, batch_stats, opt_state, ema)
    new = jax.tree.map(lambda new, old: jnp.where(finite, new, old), new, state)
    return new._replace(step=state.step + 1), metrics


def _average(state, params, batch_stats, decay, warmup_steps, frozen):
    """The exponential moving averages after an update; None if the state has none."""
    if not state.ema:
        return state.ema
    if warmup_steps:
        decay = decay * -jnp.expm1(-(state.step + 1) / warmup_steps)

    def average(old, new):
        # Counters among the batch statistics have no average.
        return (decay * old + (1 - decay) * new).astype(old.dtype) if jnp.issubdtype(old.dtype, jnp.inexact) else new

    averages = jax.tree.map(average, state.ema, {"params": params, "batch_stats": batch_stats})
    return {name: keep_frozen(averages[name], state.ema[name], frozen) for name in averages}


def compile_train_step(mesh: jax.sharding.Mesh | None = None, *, remat: bool = False, **options: Any) -> jax.stages.Wrapped:
    """Makes the jitted `train_step` of a mesh, with the state on every device and donated, and the batch sharded.

    Args:
        mesh: result of `make_mesh`; None: all devices.
        remat: as for `train_step`.
        **options: the other keyword arguments of `train_step`, except axis_name.

    Returns:
        The function (state, batch) -> (state, metrics), compiled at its first call.
    """
    replicated, batch_sharding = shardings(mesh or make_mesh())
    # `remat` needs the barriers too: without them, recomputed activations are merged with the first ones.
    barriers = keeping_barriers()

    def compiled_step(state, batch):
        with by_row() if barriers else contextlib.nullcontext():
            return train_step(state, batch, remat=remat, **options)

    compiled_step.__name__ = train_step.__name__
    return jax.jit(
        compiled_step,
        in_shardings=(replicated, batch_sharding),
        out_shardings=(replicated, replicated),
        donate_argnums=0,
        compiler_options=compiler_options() | barriers,
    )


if not TYPE_CHECKING:
    __getattr__ = moved.names(
        __name__,
        {
            "check_batch_size": "runtime.devices:check_batch_size",
        },
    )
