"""Blood cells (BCCD) from scratch on a laptop's CPU: YOLOv3-tiny of half width at 416 x 320.

git clone https://github.com/Shenggan/BCCD_Dataset data/bccd
yolojax train --workdir runs/bccd_tiny --config bccd_tiny
yolojax eval --workdir runs/bccd_tiny --split test

If the data set is elsewhere: --config.data.train=FOLDER --config.data.val=FOLDER.
"""

from yolojax.config import Config


def get_config() -> Config:
    config = Config()
    config.model.name = "yolov3_tiny"
    config.model.width = 0.5
    config.model.batch_norm_momentum = 0.97  # a short run: the statistics must adapt quickly
    # yolojax anchors data/bccd/BCCD:train --network yolov3_tiny, in the proportions of 416 x 320
    config.model.anchors = (((25, 25), (60, 56), (71, 61)), ((64, 70), (77, 73), (141, 129)))
    config.data.train = "data/bccd/BCCD"
    config.data.val = "data/bccd/BCCD"
    config.data.size = (320, 416)  # the pictures are 640 x 480: no margin to compute
    config.data.cache_gib = 1.0
    config.data.augment.crop_probability = 0.0  # the zoom does more
    config.data.augment.translate_probability = 0.0
    config.data.augment.scale_probability = 0.8
    config.data.augment.scale_smallest = 0.6
    config.data.augment.scale_largest = 1.6
    config.data.augment.mosaic_probability = 0.3
    config.data.augment.mix_off_epochs = 15.0
    config.optimizer.learning_rate = 2e-3
    config.optimizer.clip_norm = 20.0
    config.optimizer.ema_decay = 0.995
    config.optimizer.ema_warmup_steps = 100.0
    config.train.batch_size = 8
    config.train.epochs = 100.0
    config.train.eval_epochs = 10.0
    config.eval.iou_threshold = 0.45  # AP50 counts detections that overlap more as duplicates
    return config
