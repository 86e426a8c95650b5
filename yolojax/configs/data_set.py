"""Your own pictures: a VOC folder, COCO .json files, a YOLO data.yaml, or text lists with a file of class names.

yolojax train --workdir runs/mine --config data_set --config.data.train=cells --config.data.val=cells

`yolojax train --workdir runs/mine --data cells` starts from it as well, and fits the anchors to the data where that helps.
`--config data_set:yolov3_tiny` trains the small network, which a CPU can do. Before a long run, copy this file (`yolojax train
--help` says where it is), set the fields in the copy, and give its path to --config.
"""

from yolojax.config import Config


def get_config(network: str = "yolov3") -> Config:
    config = Config()
    config.model.name = network
    config.model.batch_norm_momentum = 0.97  # a few hundred images make few steps: the statistics must adapt quickly
    config.data.train = ""  # for a VOC folder or a data.yaml, its split train is used
    config.data.val = ""  # likewise, its split val; empty: that of train, or else val_share of its pictures
    config.data.val_share = 0.2  # chosen by their content, so that equal pictures are on one side
    config.data.names = ""  # file with one class name per line; empty: the names in the data
    config.data.size = (416, 416)  # height, width in pixels, multiples of 32
    config.data.cache_gib = 1.0  # decoded images kept in memory, as many as fit
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
    config.train.batch_size = 8  # images per step, over all devices
    config.train.epochs = 100.0
    config.train.eval_epochs = 5.0
    return config
