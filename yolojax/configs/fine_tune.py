"""Your own pictures, starting from trained weights: `--config data_set` in a third of its epochs, with heads adapted.

yolojax train --workdir runs/mine --config fine_tune --data cells --weights yolov3.weights

`--weights` chooses it where --config is left out. Network, anchors, input size and picture fit are those of the weights.
"""

from yolojax.config import Config
from yolojax.configs import data_set


def get_config(network: str = "yolov3") -> Config:
    config = data_set.get_config(network)
    config.optimizer.warmup_epochs = 1.0  # the rate after it is that of a new network: see benchmarks/results/fine_tuning.md
    config.train.epochs = 30.0
    config.train.eval_epochs = 2.0
    return config
