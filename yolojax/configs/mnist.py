"""MNIST detection: 1,000 training and 200 validation pictures of small, medium and large digits at 416 x 416.

yolojax digits --out data/mnist --mnist mnist.npz
yolojax train --workdir runs/mnist --config mnist

`--config mnist:yolov3` is the run of the TensorFlow tutorial (pylessons.com/YOLOv3-TF2-mnist), but from random weights where it
has those of COCO: with them, --config.init_from=yolov3.weights. It needs a GPU. `mnist:tiny`, the default, and `mnist:small`,
YOLOv3 of a quarter of the width, train on a CPU, with ten times the learning rate. All else is the same.
"""

from yolojax.config import Config


def get_config(network: str = "tiny") -> Config:
    config = Config()
    config.model.name = {"tiny": "yolov3_tiny", "small": "yolov3"}.get(network, network)
    config.data.source = "list"
    config.data.train = "data/mnist/train.txt"
    config.data.val = "data/mnist/val.txt"
    config.data.names = "data/mnist/digits.names"
    config.data.augment.flip_probability = 0.0  # a mirrored 2 is not a 2
    config.data.augment.hsv_probability = 0.0  # the tutorial crops and shifts, nothing else
    config.optimizer.learning_rate = 1e-4  # Adam, to 1e-6 on a cosine after 2 epochs of warm-up
    config.train.batch_size = 4
    config.train.epochs = 30.0
    if network == "small":
        config.model.width = 0.25
    if network in ("tiny", "yolov3_tiny", "small"):
        config.optimizer.learning_rate = 1e-3
        config.optimizer.clip_norm = 20.0
    return config
