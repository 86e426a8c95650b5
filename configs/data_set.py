"""Your own pictures: a VOC folder, COCO .json files, a YOLO data.yaml, or text lists with a file of class names.

python train.py --workdir runs/mine --config configs/data_set.py --config.data.train=cells --config.data.val=cells

`--config configs/data_set.py:yolov3_tiny` trains the small network, which a CPU can do. Before a long run, copy this file and
set the fields here.
"""

from yolojax.config import Config


def get_config(network="yolov3"):
    config = Config()
    config.model.name = network
    config.model.batch_norm_momentum = 0.97  # some hundreds of pictures are few steps: the statistics must follow
    config.data.train = ""  # a VOC folder or a data.yaml stands for its split train here, and for val below
    config.data.val = ""
    config.data.names = ""  # of the file with one class name a line; empty: those of the data
    config.data.size = (416, 416)  # height, width in pixels, multiples of 32
    config.data.cache_gib = 1.0  # decoded pictures in memory, as many as fit
    config.data.augment.crop_probability = 0.0  # the zoom does more
    config.data.augment.translate_probability = 0.0
    config.data.augment.scale_probability = 0.8
    config.data.augment.scale_smallest = 0.6
    config.data.augment.scale_largest = 1.6
    config.optimizer.learning_rate = 1e-3
    config.optimizer.end_learning_rate = 1e-5
    config.optimizer.clip_norm = 20.0
    config.optimizer.ema_decay = 0.995
    config.optimizer.ema_warmup_steps = 100.0
    config.train.batch_size = 8  # pictures a step, over all devices
    config.train.epochs = 100.0
    config.train.eval_epochs = 5.0
    return config
