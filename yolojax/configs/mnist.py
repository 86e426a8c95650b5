"""MNIST detection: 1,000 training and 200 validation pictures of small, medium and large digits at 416 x 416.

yolojax digits --out data/mnist --mnist mnist.npz
yolojax train --workdir runs/mnist --config mnist

`--config mnist:yolov3` trains the full network instead of tiny; that needs a GPU.
"""

from yolojax.config import Config


def get_config(network: str = "yolov3_tiny") -> Config:
    config = Config()
    config.model.name = network
    config.data.source = "list"
    config.data.train = "data/mnist/train.txt"
    config.data.val = "data/mnist/val.txt"
    config.data.names = "data/mnist/digits.names"
    config.data.augment.flip_probability = 0.0  # a mirrored 2 is not a 2
    config.train.batch_size = 4
    config.train.epochs = 30.0
    if network == "yolov3_tiny":
        config.optimizer.learning_rate = 1e-3
        config.optimizer.clip_norm = 20.0
    return config
