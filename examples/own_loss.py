"""A loss of one's own: the package's, and a penalty on sure classes (Pereyra et al. 2017, arXiv:1701.06548, section 3).

python examples/own_loss.py # trains on digits with it as an object
cd examples && yolojax train --workdir runs/own_loss --config.loss.name=own_loss:loss # by name, with the default settings
"""

import functools
import sys

import jax
import jax.numpy as jnp

from yolojax import Config, Parts, train_and_evaluate, yolo_loss


def loss(raw, targets, grid, *, beta=0.1):
    """Box, objectness and classification of `yolo_loss`, and "penalty": -beta * entropy of the classes at the boxes' slots.

    Args:
        raw: heads (B, H_s, W_s, A, 5 + C), fine to coarse.
        targets: batched Targets; `slots` (B, M, K) are numbers of slots, `grid.num_slots` where there is none.
        grid: AnchorGrid.
        beta: weight of the penalty.

    Returns:
        {name: (B,)}; the sum is minimized, and each term is logged under its name.
    """
    slots = jnp.concatenate([head.reshape(head.shape[0], -1, head.shape[-1]) for head in raw], axis=1)  # (B, N, 5 + C)
    chosen = targets.slots.reshape(targets.slots.shape[0], -1)  # (B, M * K)
    logits = jax.vmap(lambda x, i: x.at[i].get(mode="fill", fill_value=0))(slots, chosen)[..., 5:]
    p, log_p, log_q = jax.nn.sigmoid(logits), jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    entropy = -(p * log_p + (1 - p) * log_q).sum(-1)  # of C independent classes
    penalty = -beta * jnp.where(chosen < grid.num_slots, entropy, 0).sum(-1)
    return {**yolo_loss(raw, targets, grid)._asdict(), "penalty": penalty}


def main(workdir, config=None, beta=0.1):
    # By way of the module, not of this program: so config.json records own_loss:loss, which `yolojax eval` finds again.
    from own_loss import loss

    return train_and_evaluate(config or digits(), workdir, parts=Parts(loss=functools.partial(loss, beta=beta)))


def digits():
    """A short run on scenes of handwritten digits."""
    from yolojax.configs.digits import get_config

    config: Config = get_config()
    config.data.size, config.train.epochs = (96, 96), 5.0
    return config


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "runs/own_loss")
