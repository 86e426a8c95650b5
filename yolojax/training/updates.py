"""Any optax optimizer: its state, and the updates that it proposes."""

import functools
import operator
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class BacktrackState(NamedTuple):
    """The state of `yolojax.training.optimizer.backtrack`.

    Attributes:
        rate_factor: scalar float32, the factor of the last step, or 0 if no trial was accepted.
    """

    rate_factor: jax.Array


class SlowParams(NamedTuple):
    """The state of `optax.lookahead`, which optax keeps in two places: here are the slow parameters too.

    Attributes:
        slow: the slow parameters.
        state: the state of the optimizer.
    """

    slow: Any
    state: optax.OptState


def init_optimizer(optimizer: optax.GradientTransformation, params: Any) -> optax.OptState:
    """Makes the state of an optimizer.

    Args:
        optimizer: optax transformation, or an object with the same `init` and `update`.
        params: tree of parameters.

    Returns:
        Its state, none of whose arrays is one of the parameters or occurs twice, so that a compiled step can reuse all of them.
    """
    opt_state = optimizer.init(params)
    if _states(opt_state, optax.LookaheadState):
        opt_state = SlowParams(params, opt_state)
    seen = {id(leaf) for leaf in jax.tree.leaves(params)}

    def own(leaf):
        copied = jnp.array(leaf) if id(leaf) in seen else leaf
        seen.add(id(copied))
        return copied

    return jax.tree.map(own, opt_state)


def propose(
    optimizer: optax.GradientTransformation, gradients: Any, opt_state: optax.OptState, params: Any, **measured: Any
) -> tuple[Any, optax.OptState]:
    """The updates that an optimizer proposes, and its new state.

    Args:
        optimizer: as for `init_optimizer`.
        gradients: tree of gradients.
        opt_state: its state, of `init_optimizer`.
        params: tree of parameters.
        measured: keyword arguments of optax's `update`, of which the optimizer gets those that it takes.

    Returns:
        (updates, new state).
    """
    if isinstance(opt_state, SlowParams):
        pair: Any = optax.LookaheadParams(params, opt_state.slow)
        updates, state = propose(optimizer, gradients, opt_state.state, pair, **measured)
        return updates.fast, SlowParams(optax.apply_updates(opt_state.slow, updates.slow), state)
    if isinstance(optimizer, optax.GradientTransformation):
        optimizer = optax.with_extra_args_support(optimizer)
    update: Any = optimizer.update
    while True:
        try:
            return update(gradients, opt_state, params, **measured)
        except TypeError as error:
            # Some of optax's optimizers, alone or inside others, take one argument and refuse the rest.
            refused = set(re.findall(r"'(\w+)'", str(error))) & measured.keys()
            if not refused or "unexpected keyword argument" not in str(error).lower():
                raise
            measured = {name: value for name, value in measured.items() if name not in refused}


def rate_factor(opt_state: optax.OptState) -> jax.Array | None:
    """The factor by which line searches (`backtrack`) multiplied the last learning rate; None without a line search."""
    factors = [state.rate_factor for state in _states(opt_state, BacktrackState)]
    return functools.reduce(operator.mul, factors) if factors else None


def _states(opt_state, kind):
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, kind))
    return [node for node in nodes if isinstance(node, kind)]
