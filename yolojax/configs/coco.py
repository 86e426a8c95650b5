"""COCO 2017: 118,287 training and 5,000 validation pictures of 80 classes. Needs one large GPU or several.

yolojax train --workdir runs/coco --config coco

data/coco holds COCO as its archives unpack: annotations/, train2017/ and val2017/.
"""

from yolojax.config import Config


def get_config() -> Config:
    config = Config()
    config.data.train = "data/coco/annotations/instances_train2017.json"
    config.data.val = "data/coco/annotations/instances_val2017.json"
    config.data.size = (416, 416)
    config.data.sizes = tuple((side, side) for side in range(320, 609, 32))  # multi-scale, as Darknet trains
    config.data.augment.crop_probability = 0.0  # the mosaic and the zoom take their place
    config.data.augment.translate_probability = 0.0
    config.data.augment.scale_probability = 0.5
    config.data.augment.mosaic_probability = 0.5
    config.data.augment.mix_off_epochs = 10.0
    config.model.dtype = "bfloat16"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.end_learning_rate = 1e-5
    config.optimizer.warmup_epochs = 1.0
    config.optimizer.clip_norm = 20.0
    config.optimizer.ema_decay = 0.9998
    config.optimizer.ema_warmup_steps = 2000.0
    config.train.batch_size = 64  # images per step, over all devices; Darknet's
    config.train.epochs = 100.0
    config.train.eval_epochs = 5.0
    config.train.log_steps = 100
    config.train.checkpoint_steps = 2000
    config.eval.batch_size = 32
    return config
