"""Pascal VOC: trained on train and val of 2007 and 2012, evaluated on test of 2007, as the papers do. Needs a GPU.

yolojax convert VOCdevkit/VOC2007:trainval VOCdevkit/VOC2012:trainval --to voc --out data/voc0712
yolojax train --workdir runs/voc --config voc --config.data.val=VOCdevkit/VOC2007:test

`--config voc:pytorch` has the loss, the optimizer and the variations of PyTorch-YOLOv3 as it was in 2019 (docs/coming_from.md),
in batches of 32 for 122 epochs; with that program's backbone: --config.init_from=darknet53.conv.74.
"""

from yolojax.config import Config
from yolojax.errors import InputError


def get_config(recipe: str = "own") -> Config:
    if recipe not in ("own", "pytorch"):
        raise InputError(f"--config voc:{recipe}: there is no such recipe; give voc or voc:pytorch")
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
    if recipe == "pytorch":
        _follow_pytorch(config)
    return config


def _follow_pytorch(config: Config) -> None:
    """Changes the settings to those of train.py and utils/datasets.py of PyTorch-YOLOv3 (eriklindernoren, b87e68d)."""
    config.model.batch_norm_momentum = 0.1  # BatchNorm2d(momentum=0.9), which is the share of the new value there
    config.data.sizes = tuple((side, side) for side in range(320, 513, 32))  # --multiscale_training: 3 steps of 32 either way
    config.data.augment.iou_crop_probability = 0.0
    config.data.augment.scale_probability = 0.0
    config.data.augment.mosaic_probability = 0.0
    config.data.augment.hsv_probability = 0.0
    config.data.augment.flip_probability = 0.5  # the only variation
    config.loss.name = "yolojax.pytorch_yolov3:pytorch_yolov3_loss"
    config.optimizer.learning_rate = 1e-3  # torch.optim.Adam at its defaults, all the time
    config.optimizer.end_learning_rate = 1e-3
    config.optimizer.warmup_epochs = 0.0
    config.optimizer.clip_norm = 0.0
    config.optimizer.ema_decay = 0.0
    config.optimizer.ema_warmup_steps = 0.0
    config.train.epochs = 122.0
    config.eval.iou_threshold = 0.5  # nms_thres of its evaluation
