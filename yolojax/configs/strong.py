"""Your own pictures by the anchor-based recipe of 2020 and later: more slots for a box, and objectness that predicts the IoU.

yolojax train --workdir runs/mine --config strong --config.data.train=cells --config.data.val=cells

`--config strong:yolov3_tiny` trains the small network, which a CPU can do; `strong:yolov3_spp` the one with pyramid pooling.
What was measured with it, and what was not yet, is in benchmarks/results/strong.md.
"""

from yolojax.config import Config


def get_config(network: str = "yolov3") -> Config:
    config = Config()
    config.model.name = network
    config.model.batch_norm_momentum = 0.97  # a few hundred images make few steps: the statistics must adapt quickly
    config.model.xy_scale = 2.0  # centres 2 sigmoid(t) - 0.5
    config.model.squared_sizes = True  # sizes (2 sigmoid(t))^2
    config.data.train = ""  # for a VOC folder or a data.yaml, its split train is used
    config.data.val = ""  # likewise, its split val; empty: that of train, or else val_share of its pictures
    config.data.names = ""  # file with one class name per line; empty: the names in the data
    config.data.size = (416, 416)  # height, width in pixels, multiples of 32
    config.data.cache_gib = 1.0  # decoded images kept in memory, as many as fit
    config.data.augment.crop_probability = 0.0  # the zoom does more
    config.data.augment.translate_probability = 0.0
    config.data.augment.scale_probability = 0.8
    config.data.augment.scale_smallest = 0.6
    config.data.augment.scale_largest = 1.6
    config.data.augment.mosaic_probability = 0.5
    config.data.augment.mix_off_epochs = 15.0
    config.loss.name = "iou_aware"
    config.loss.assign_rule = "ratio"
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.end_learning_rate = 1e-5
    config.optimizer.weight_decay = 0.05
    config.optimizer.warmup_epochs = 3.0
    config.optimizer.ema_decay = 0.995
    config.optimizer.ema_warmup_steps = 100.0
    config.train.batch_size = 8  # images per step, over all devices
    config.train.epochs = 100.0
    config.train.eval_epochs = 5.0
    return config
