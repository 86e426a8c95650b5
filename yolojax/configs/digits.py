"""The demo: YOLOv3-tiny on scenes of real handwritten digits, minutes on a laptop's CPU. The default configuration.

yolojax train --workdir runs/digits
"""

from yolojax.config import Config


def get_config() -> Config:
    config = Config()
    config.model.name = "yolov3_tiny"
    config.model.width = 0.25
    config.model.batch_norm_momentum = 0.95  # a short run: the statistics must adapt quickly
    config.data.source = "digits"
    config.data.size = (160, 160)
    config.data.max_boxes = 8
    config.data.augment.flip_probability = 0.0  # a mirrored 2 is not a 2
    config.data.augment.crop_probability = 0.0  # every scene is new anyway
    config.data.augment.translate_probability = 0.0
    config.data.augment.hsv_probability = 0.0
    config.optimizer.learning_rate = 4e-3
    config.optimizer.end_learning_rate = 1e-5
    config.optimizer.warmup_epochs = 0.5
    config.optimizer.b2 = 0.99
    config.optimizer.clip_norm = 20.0
    config.optimizer.ema_decay = 0.99
    config.train.batch_size = 16
    config.train.epochs = 20.0  # of 1,600 scenes: 2,000 steps
    config.train.log_steps = 50
    config.train.eval_epochs = 5.0
    config.train.checkpoint_steps = 200
    config.eval.batch_size = 16
    config.eval.iou_threshold = 0.45  # digits hardly overlap
    return config
