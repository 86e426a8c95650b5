"""Pascal VOC: trained on train and val of 2007 and 2012, evaluated on test of 2007, as the papers do. Needs a GPU.

yolojax convert VOCdevkit/VOC2007:trainval VOCdevkit/VOC2012:trainval --to voc --out data/voc0712
yolojax train --workdir runs/voc --config voc --config.data.val=VOCdevkit/VOC2007:test
"""

from yolojax.config import Config


def get_config() -> Config:
    config = Config()
    config.data.train = "data/voc0712:trainval"
    config.data.val = "VOCdevkit/VOC2007:test"
    config.data.size = (416, 416)
    config.data.sizes = tuple((side, side) for side in range(320, 609, 32))  # multi-scale, as Darknet trains
    config.data.augment.crop_probability = 0.0  # the IoU crop and the zoom take their place
    config.data.augment.translate_probability = 0.0
    config.data.augment.iou_crop_probability = 0.3
    config.data.augment.scale_probability = 0.5
    config.data.augment.mosaic_probability = 0.5
    config.data.augment.mix_off_epochs = 15.0
    config.optimizer.learning_rate = 1e-3
    config.optimizer.end_learning_rate = 1e-5
    config.optimizer.warmup_epochs = 3.0
    config.optimizer.clip_norm = 20.0
    config.optimizer.ema_decay = 0.9998
    config.optimizer.ema_warmup_steps = 2000.0
    config.train.batch_size = 32  # images per step, over all devices
    config.train.epochs = 150.0
    config.train.eval_epochs = 5.0
    config.train.log_steps = 50
    config.eval.iou_threshold = 0.45
    config.eval.batch_size = 32
    return config
