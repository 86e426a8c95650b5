"""The optimizers, which parameters decay, and the line search over the learning rate."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from yolojax.config import OptimizerConfig
from yolojax.errors import InputError
from yolojax.models.layers import layer_matches, layer_of
from yolojax.parts import NO_PARTS, Parts
from yolojax.references import is_part
from yolojax.training.schedules import Schedule
from yolojax.training.updates import BacktrackState


def kernels_only(params: Any, layers: str = "") -> Any:
    """Marks the parameters that weight decay acts on: convolution kernels, not biases or the scales of batch normalization.

    Darknet's `update_convolutional_layer` decays its weights alone in the same way.

    Args:
        params: tree of parameters.
        layers: regular expression; only the kernels of layers whose path, such as "backbone/stem", matches decay. "" for all
            layers.

    Returns:
        The same tree of bools.
    """

    def decays(path, _):
        return path[-1].key == "kernel" and (not layers or layer_matches(layer_of(path), layers))

    return jax.tree_util.tree_map_with_path(decays, params)


def scale_layers(factors: Sequence[tuple[str, float]]) -> optax.GradientTransformation:
    """Multiplies the updates of each layer by the factor of the first pattern that matches its path, or by 1.

    Placed after an optimizer, this gives layers a learning rate of their own; weight decay is scaled with it.

    Args:
        factors: ((regular expression, factor), ...); a path is, for example, "backbone/stem".

    Returns:
        An optax transformation without a state.
    """

    def factor(layer):
        return next((value for pattern, value in factors if layer_matches(layer, pattern)), 1.0)

    def scale(updates, _):
        return jax.tree_util.tree_map_with_path(lambda path, update: update * factor(layer_of(path)), updates)

    return optax.stateless(scale)


def backtrack(trials: int) -> optax.GradientTransformationExtraArgs:
    """Scales updates by the first of 1, 1/2, 1/4 ... that lowers the loss of the batch enough, or by 0 if none does.

    A factor s is accepted if loss(w + s u) <= loss(w) + 1e-4 s <u, gradient> (Armijo 1966; for networks Vaswani et al. 2019,
    arXiv:1905.09997, algorithm 1). A step begins with twice the factor of the previous step, at most 1, and with 1 if that
    step accepted none. Each trial costs a forward pass over the batch.

    Args:
        trials: how many factors are tried at most in a step, at least 1.

    Returns:
        An optax transformation whose update needs value, grad and value_fn.
    """
    search = optax.scale_by_backtracking_linesearch(trials - 1, decrease_factor=0.5, increase_factor=2.0)

    def init(params):
        return BacktrackState(jnp.ones((), jnp.float32))

    def update(updates, state: Any, params: Any = None, **loss):
        begin = jnp.where(state.rate_factor > 0, state.rate_factor, 0.5)
        search_state: Any = search.init(params)
        outcome: Any
        updates, outcome = search.update(updates, search_state._replace(learning_rate=begin), params, **loss)
        # Optax applies the last trial even if it failed.
        failed = outcome.info.decrease_error > 0
        updates = jax.tree.map(lambda update: jnp.where(failed, 0, update), updates)
        return updates, BacktrackState(jnp.where(failed, 0, outcome.learning_rate))

    return optax.GradientTransformationExtraArgs(init, update)


def make_optimizer(config: OptimizerConfig, schedule: Schedule, parts: Parts = NO_PARTS) -> optax.GradientTransformation:
    """Builds the optax transformation of an `OptimizerConfig`: clipping by global norm, then the named optimizer.

    adam: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. adamw: the same, and kernels shrink by rate * weight_decay of
    themselves (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2). sgd: v = g + weight_decay * w + momentum * v,
    w = w - rate * v, as in Darknet; with Nesterov w = w - rate * (g + weight_decay * w + momentum * v) of the new v
    (Sutskever et al. 2013, section 3, in the form of YOLOX). rmsprop: with d = g + weight_decay * w and, from s = 0,
    s = rms_decay * s + (1 - rms_decay) * d^2, v = d / (sqrt(s) + rms_eps) + momentum * v, w = w - rate * v (Tieleman and
    Hinton 2012, lecture 6.5, in the form of torch.optim.RMSprop, where the rate of a step scales the whole update, as in sgd
    here; in TensorFlow's the epsilon lies under the root, and v holds the rates of earlier steps). Decay comes after clipping,
    and acts on kernels only (`kernels_only`). After that, updates are scaled in layers that have a rate of their own
    (`layer_rates`). With `line_search_trials` the rate of the schedule is the largest that is tried (`backtrack`).

    Args:
        config: the settings.
        schedule: function of the step, counted from 1, to the learning rate.
        parts: parts that a program gives as objects.

    Raises:
        ValueError: an unknown name.
        InputError: an optimizer of the user's own that cannot be found, called or used.
    """

    # optax counts updates from 0.
    def rate(count):
        return schedule(count + 1)

    if is_part(config.name):
        optimizer = parts.build("optimizer", config.name, config.options, "schedule")(rate)
        if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
            raise InputError(f"config.optimizer.name: {config.name} returns {optimizer!r}, not an optax transformation")
        return _wrapped(optimizer, config)
    decayed = functools.partial(kernels_only, layers=config.decay_layers)
    if config.name == "adam":
        optimizer = optax.adam(rate, b1=config.b1, b2=config.b2)
    elif config.name == "adamw":
        optimizer = optax.adamw(rate, b1=config.b1, b2=config.b2, weight_decay=config.weight_decay, mask=decayed)
    elif config.name == "sgd":
        optimizer = optax.chain(
            optax.add_decayed_weights(config.weight_decay, mask=decayed),
            optax.sgd(rate, momentum=config.momentum, nesterov=config.nesterov),
        )
    elif config.name == "rmsprop":
        optimizer = optax.chain(
            optax.add_decayed_weights(config.weight_decay, mask=decayed),
            optax.scale_by_rms(config.rms_decay, config.rms_eps, eps_in_sqrt=False),
            optax.trace(config.momentum),
            optax.scale_by_learning_rate(rate),
        )
    else:
        raise ValueError(f"unknown optimizer {config.name!r}; expected adam, adamw, sgd or rmsprop")
    return _wrapped(optimizer, config)


def _wrapped(optimizer: optax.GradientTransformation, config: OptimizerConfig) -> optax.GradientTransformation:
    """The optimizer with rates by layer, clipping and line search, as far as the configuration asks for them."""
    if config.layer_rates:
        optimizer = optax.chain(optimizer, scale_layers(config.layer_rates))
    if config.clip_norm:
        optimizer = optax.chain(optax.clip_by_global_norm(config.clip_norm), optimizer)
    return optax.chain(optimizer, backtrack(config.line_search_trials)) if config.line_search_trials else optimizer
