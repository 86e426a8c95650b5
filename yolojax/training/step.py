"""The training step: a pure function of global arrays, and its compiled form on a mesh of devices."""

import functools
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import optax

from yolojax import moved
from yolojax.loss import LossTerms
from yolojax.models.layers import layer_matches, layer_of
from yolojax.runtime.devices import shardings


class TrainState(NamedTuple):
    """Everything that training changes; arrays only.

    Attributes:
        step: scalar int32, steps made so far; those whose update was skipped count.
        params: float32 parameters.
        batch_stats: float32 running statistics of batch normalization.
        opt_state: of the optimizer.
        ema: {"params", "batch_stats"} averaged over the steps, or None where nothing is averaged.
    """

    step: jax.Array
    params: dict
    batch_stats: dict
    opt_state: optax.OptState
    ema: dict | None


def create_state(variables, optimizer, *, average=False):
    """The TrainState at step 0 of a network's initial variables, {"params", "batch_stats"}."""
    params, batch_stats = variables["params"], variables["batch_stats"]
    # Copies: the step donates the whole state, and one buffer cannot be given away twice.
    ema = jax.tree.map(jnp.array, {"params": params, "batch_stats": batch_stats}) if average else None
    return TrainState(jnp.zeros((), jnp.int32), params, batch_stats, optimizer.init(params), ema)


def eval_variables(state):
    """The variables of a TrainState to evaluate: the averaged ones where there are any."""
    return state.ema or {"params": state.params, "batch_stats": state.batch_stats}


def train_step(
    state,
    batch,
    *,
    model,
    optimizer,
    grid,
    loss,
    axis_name=None,
    ema_decay=0.0,
    ema_warmup_steps=0.0,
    frozen="",
    accumulate=1,
    remat=False,
):
    """Makes one update; a pure function.

    Where the loss or the gradient is not finite, the state stays as it is but for its step.

    Under `jax.jit` with the batch sharded over a mesh, the mean of the loss and the batch statistics are global by themselves.
    Under `jax.pmap` or `jax.shard_map`, where each device sees only its part, `axis_name` makes them so.

    Args:
        state: TrainState.
        batch: (images (B, H, W, 3), batched Targets).
        model: the network.
        optimizer: optax transformation.
        grid: AnchorGrid of the pictures' size.
        loss: function of (raw heads, targets, grid) to LossTerms, each (B,).
        axis_name: axis over which gradients, metrics and batch statistics are averaged.
        ema_decay: d of ema = d * ema + (1 - d) * new, for a state that has an ema.
        ema_warmup_steps: s; where it is not 0, update n (from 1) uses d * (1 - exp(-n / s)) in place of d, so that the average
            does not keep the initial values (Ge et al. 2021, arXiv:2107.08430, use s = 2000 in their program).
        frozen: regular expression; a layer whose path, as in "backbone/stem", has a match is held to the bit: its parameters,
            batch statistics and their averages.
        accumulate: k; the batch goes through the network in k parts, one after the other, whose gradients are averaged
            (Darknet's subdivisions). The batch statistics are those of each part, and the running ones follow k times.
        remat: activations are computed anew for the gradient instead of being kept.

    Returns:
        (state, metrics); metrics are scalars: "loss", "box", "objectness", "classification" (means over the pictures of the
        batch), "gradient_norm" (before any clipping), "skipped" (1 where the update was not made, else 0), and of a line
        search "rate_factor", what it multiplied the rate by.
    """
    if axis_name is not None:
        model = model.clone(axis_name=axis_name)
    if frozen:
        model = model.clone(frozen=frozen)
    if remat:
        model = model.clone(remat=True)
    dropout = jax.random.fold_in(jax.random.key(0), state.step)

    def unless_frozen(new, old):
        # Not by arithmetic: d * x + (1 - d) * x is not always x.
        return jax.tree_util.tree_map_with_path(lambda path, n, o: o if layer_matches(layer_of(path), frozen) else n, new, old)

    def objective(params, batch_stats, batch, dropout):
        images, targets = batch
        params = unless_frozen(params, jax.lax.stop_gradient(params))
        raw, updates = model.apply(
            {"params": params, "batch_stats": batch_stats},
            images,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": dropout},
        )
        terms = jax.tree.map(jnp.mean, loss(raw, targets, grid))
        return terms.box + terms.objectness + terms.classification, (terms, updates.get("batch_stats", {}))

    gradient = jax.value_and_grad(objective, has_aux=True)
    if accumulate == 1:
        (total, (terms, batch_stats)), gradients = gradient(state.params, state.batch_stats, batch, dropout)
    else:
        parts = split_batch(batch, accumulate), jax.random.split(dropout, accumulate)

        def add(carry, part):
            batch_stats, sums = carry
            (total, (terms, batch_stats)), gradients = gradient(state.params, batch_stats, *part)
            return (batch_stats, jax.tree.map(jnp.add, sums, (total, terms, gradients))), None

        zero = jnp.zeros((), jnp.float32)
        nothing = zero, LossTerms(zero, zero, zero), jax.tree.map(jnp.zeros_like, state.params)
        (batch_stats, sums), _ = jax.lax.scan(add, (state.batch_stats, nothing), parts)
        total, terms, gradients = jax.tree.map(lambda x: x / accumulate, sums)
    metrics = {"loss": total, **terms._asdict()}
    if axis_name is not None:
        gradients, metrics = jax.lax.pmean((gradients, metrics), axis_name)
    metrics["gradient_norm"] = optax.tree.norm(gradients)

    def value(params):
        if accumulate == 1:
            total = objective(params, state.batch_stats, batch, dropout)[0]
        else:
            total = jax.lax.map(lambda part: objective(params, state.batch_stats, *part)[0], parts).mean()
        return total if axis_name is None else jax.lax.pmean(total, axis_name)

    # For the line search; other optimizers pass it over, and XLA leaves it out.
    optimizer = optax.with_extra_args_support(optimizer)
    updates, opt_state = optimizer.update(
        gradients, state.opt_state, state.params, value=metrics["loss"], grad=gradients, value_fn=value
    )
    rate_factor = optax.tree.get(opt_state, "rate_factor")
    if rate_factor is not None:
        metrics["rate_factor"] = rate_factor
    params = unless_frozen(optax.apply_updates(state.params, updates), state.params)
    ema = state.ema
    if ema:
        new = {"params": params, "batch_stats": batch_stats}
        if ema_warmup_steps:
            ema_decay = ema_decay * -jnp.expm1(-(state.step + 1) / ema_warmup_steps)
        averages = jax.tree.map(lambda old, new: ema_decay * old + (1 - ema_decay) * new, ema, new)
        ema = {name: unless_frozen(averages[name], ema[name]) for name in averages}
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
    metrics["skipped"] = jnp.where(finite, 0, 1)
    new = TrainState(state.step, params, batch_stats, opt_state, ema)
    new = jax.tree.map(lambda new, old: jnp.where(finite, new, old), new, state)
    return new._replace(step=state.step + 1), metrics


def split_batch(batch, parts):
    """The arrays (B, ...) of a batch as (parts, B / parts, ...); every device has as much of each part as of the others."""

    def split(x):
        # Picture n goes to part n % parts: a batch that lies on devices in order then stays where it is.
        return x.reshape(x.shape[0] // parts, parts, *x.shape[1:]).swapaxes(0, 1)

    return jax.tree.map(split, batch)


def compile_train_step(mesh, *, remat=False, **options):
    """`train_step` for a mesh, compiled at its first call: the state on every device and donated, the batch split over them.

    Args:
        mesh: of `make_mesh`.
        remat, options: of `train_step`, but for axis_name.
    """
    replicated, split = shardings(mesh)
    # XLA removes the barriers before what is computed anew, on a CPU by this pass and so early that it is then merged with what
    # was computed before. The name of a pass that there is not is passed over.
    options_of_xla = {"xla_disable_hlo_passes": "cse_barrier_expander"} if remat and jax.default_backend() == "cpu" else None
    return jax.jit(
        functools.partial(train_step, remat=remat, **options),
        in_shardings=(replicated, split),
        out_shardings=(replicated, replicated),
        donate_argnums=0,
        compiler_options=options_of_xla,
    )


if not TYPE_CHECKING:
    __getattr__ = moved.names(
        __name__,
        {
            "make_mesh": "runtime.devices:make_mesh",
            "check_batch_size": "runtime.devices:check_batch_size",
        },
    )
