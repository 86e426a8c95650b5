"""MNIST detection: `--config mnist` by its path. The fields are in yolojax/configs/mnist.py.

python train.py --workdir runs/mnist --config configs/mnist.py
"""

from yolojax.configs.mnist import get_config

__all__ = ["get_config"]
