"""Your own pictures by the anchor-based recipe of 2020 and later: more slots for a box, and objectness that predicts the IoU.

yolojax train --workdir runs/mine --config strong --config.data.train=cells --config.data.val=cells

`--config strong:yolov3_tiny` trains the small network, which a CPU can do; `strong:yolov3_spp` the one with pyramid pooling.
If all boxes are of similar sizes, take --config.loss.assign_ratio=2: benchmarks/results/strong.md has what was measured.
"""

from yolojax.config import Config
from yolojax.configs import data_set


def get_config(network: str = "yolov3") -> Config:
    config = data_set.get_config(network)
    config.model.xy_scale = 2.0  # centres 2 sigmoid(t) - 0.5
    config.model.squared_sizes = True  # sizes (2 sigmoid(t))^2
    config.data.augment.mosaic_probability = 0.5
    config.data.augment.mix_off_epochs = 15.0
    config.loss.name = "iou_aware"
    config.loss.assign_rule = "ratio"
    config.optimizer.name = "adamw"
    config.optimizer.weight_decay = 0.05
    config.optimizer.warmup_epochs = 3.0
    config.optimizer.clip_norm = 0.0
    return config
