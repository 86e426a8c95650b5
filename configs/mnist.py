"""MNIST detection: 1,000 training and 200 validation pictures of small, medium and large digits at 416 x 416.

python -m yolojax digits --out data/mnist --mnist mnist.npz
python train.py --workdir runs/mnist --config configs/mnist.py

`--config configs/mnist.py:yolov3` trains the full network instead of tiny; that wants a GPU.
"""

from yolojax.config import Config


def get_config(network="yolov3_tiny"):
    config = Config()
    config.model.name = network
    config.data.source = "list"
    config.data.train = "data/mnist/train.txt"
    config.data.val = "data/mnist/val.txt"
    config.data.names = "data/mnist/digits.names"
    config.data.augment.flip_probability = 0.0  # a mirrored 2 is no 2
    config.train.batch_size = 4
    config.train.epochs = 30.0
    if network == "yolov3_tiny":
        config.optimizer.learning_rate = 1e-3
        config.optimizer.clip_norm = 20.0
    return config
