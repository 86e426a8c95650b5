"""A run small enough for tests: 30 steps of a narrow network on small scenes; also a config file for train.py."""

from yolojax.config import Config


def get_config():
    config = Config()
    config.model.name = "yolov3_tiny"
    config.model.width = 0.125
    config.model.anchors = (((14, 27), (19, 34), (25, 44)), ((30, 55), (36, 64), (45, 73)))
    config.data.source = "digits"
    config.data.size = (64, 64)
    config.data.augment.mosaic_probability = config.data.augment.mixup_probability = 0.3
    config.data.augment.mix_off_epochs = 1.0
    config.data.max_boxes = 8
    config.data.digits_train = 96
    config.data.digits_val = 12
    config.optimizer.learning_rate = 1e-3
    config.optimizer.warmup_epochs = 0.5
    config.optimizer.ema_decay = 0.5
    config.train.batch_size = 8
    config.train.epochs = 2.5
    config.train.eval_epochs = 1.0
    config.train.log_steps = 5
    config.train.checkpoint_steps = 4
    return config
