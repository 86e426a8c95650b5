"""Blood cells (BCCD) from scratch with YOLOv3 at 416 x 416, at most 150 epochs. Needs a GPU.

git clone https://github.com/Shenggan/BCCD_Dataset data/bccd
yolojax train --workdir runs/bccd --config bccd
yolojax eval --workdir runs/bccd --split test
python benchmarks/seeds.py --config bccd --out runs/bccd --seeds 0,1,2,3,4     # five seeds, mean and deviation

If the data set is elsewhere: --config.data.train=FOLDER --config.data.val=FOLDER.
"""

from yolojax.config import Config


def get_config() -> Config:
    config = Config()
    config.model.name = "yolov3"
    config.model.batch_norm_momentum = 0.97  # a short run: the statistics must adapt quickly
    config.data.train = "data/bccd/BCCD"
    config.data.val = "data/bccd/BCCD"
    config.data.size = (416, 416)
    config.data.sizes = ((352, 352), (384, 384), (416, 416), (448, 448), (480, 480))
    config.data.cache_gib = 1.0
    config.data.augment.crop_probability = 0.0  # the zoom does more
    config.data.augment.translate_probability = 0.0
    config.data.augment.scale_probability = 0.8
    config.data.augment.scale_smallest = 0.6
    config.data.augment.scale_largest = 1.6
    config.optimizer.learning_rate = 1e-3
    config.optimizer.end_learning_rate = 1e-5
    config.optimizer.warmup_epochs = 3.0
    config.optimizer.clip_norm = 20.0
    config.optimizer.ema_decay = 0.998
    config.optimizer.ema_warmup_steps = 200.0
    config.train.batch_size = 8
    config.train.epochs = 150.0
    config.train.eval_epochs = 5.0
    config.eval.iou_threshold = 0.45  # AP50 counts detections that overlap more as duplicates
    return config
