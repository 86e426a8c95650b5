"""Your own pictures, starting from trained weights: `--config data_set` at a tenth of the learning rate, with heads adapted.

yolojax train --workdir runs/mine --config fine_tune --data cells --weights yolov3.weights

`--weights` chooses it where --config is left out. Network, anchors, input size and picture fit are those of the weights.
"""

from yolojax.config import Config
from yolojax.configs import data_set


def get_config(network: str = "yolov3") -> Config:
    config = data_set.get_config(network)
    config.optimizer.learning_rate /= 10
    config.optimizer.end_learning_rate /= 10
    config.optimizer.warmup_epochs = 1.0
    config.train.epochs = 30.0
    config.train.eval_epochs = 2.0
    return config
