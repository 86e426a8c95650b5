"""The optimizers and their learning-rate schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from yolojax.models.layers import layer_matches, layer_of


def warmup_cosine(learning_rate, end_learning_rate, warmup_steps, total_steps):
    """Linear warm-up from 0 to `learning_rate`, then half a cosine down to `end_learning_rate`, held there.

    With W warm-up steps of T in all, the rate of step n is learning_rate * n / W up to W, then
    end + 0.5 * (peak - end) * (1 + cos(pi * (n - W) / (T - W))) (Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5).

    Args:
        learning_rate: the peak.
        end_learning_rate: from step T on.
        warmup_steps: W, from 0 to T.
        total_steps: T.

    Returns:
        A function of the step n (the first step is 1) to its learning rate, float32. For a Python integer it computes on the
        host, so that a log does not wait for the device; for an array it is JAX.
    """

    def rate(step):
        xp = np if isinstance(step, int) else jnp
        step = xp.minimum(xp.asarray(step, xp.float32), total_steps)
        rising = learning_rate * step / max(warmup_steps, 1)
        # A warm-up as long as the run leaves no step to the cosine but the last, which is then its end.
        phase = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
        falling = end_learning_rate + 0.5 * (learning_rate - end_learning_rate) * (1 + xp.cos(xp.pi * phase))
        return xp.where(step < warmup_steps, rising, falling)

    return rate


def kernels_only(params):
    """Which parameters weight decay acts on: True at convolution kernels, False at biases and batch normalization's scales.

    The same tree as the parameters; Darknet's `update_convolutional_layer` decays its weights alone in the same way.
    """
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def scale_layers(factors):
    """Multiplies the updates of each layer by the factor of the first pattern that is found in its path, others by 1.

    After an optimizer, that is a learning rate of the layer's own; weight decay is scaled with it.

    Args:
        factors: ((regular expression, factor), ...); paths are as in "backbone/stem".

    Returns:
        An optax transformation without a state.
    """

    def factor(layer):
        return next((value for pattern, value in factors if layer_matches(layer, pattern)), 1.0)

    def scale(updates, _):
        return jax.tree_util.tree_map_with_path(lambda path, update: update * factor(layer_of(path)), updates)

    return optax.stateless(scale)


def make_optimizer(config, schedule):
    """Builds the optax transformation of an `OptimizerConfig`: clipping by global norm, then the named optimizer.

    adam: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. adamw: the same, and kernels shrink by rate * weight_decay of
    themselves (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2). sgd: v = g + weight_decay * w + momentum * v,
    w = w - rate * v, as in Darknet; with Nesterov w = w - rate * (g + weight_decay * w + momentum * v) of the new v
    (Sutskever et al. 2013, section 3, in the form of YOLOX). Decay comes after clipping, and acts on kernels only. Layers with
    a rate of their own (`layer_rates`) have their updates scaled last.

    Args:
        config: OptimizerConfig.
        schedule: step, counted from 1, -> learning rate.

    Raises:
        ValueError: an unknown name.
    """

    # optax counts updates from 0.
    def rate(count):
        return schedule(count + 1)

    if config.name == "adam":
        optimizer = optax.adam(rate, b1=config.b1, b2=config.b2)
    elif config.name == "adamw":
        optimizer = optax.adamw(rate, b1=config.b1, b2=config.b2, weight_decay=config.weight_decay, mask=kernels_only)
    elif config.name == "sgd":
        optimizer = optax.chain(
            optax.add_decayed_weights(config.weight_decay, mask=kernels_only),
            optax.sgd(rate, momentum=config.momentum, nesterov=config.nesterov),
        )
    else:
        raise ValueError(f"unknown optimizer {config.name!r}: adam, adamw or sgd")
    if config.layer_rates:
        optimizer = optax.chain(optimizer, scale_layers(config.layer_rates))
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), optimizer) if config.clip_norm else optimizer
