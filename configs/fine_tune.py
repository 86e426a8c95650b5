"""Your own pictures, starting from trained weights: `--config fine_tune` by its path. The fields are in
yolojax/configs/fine_tune.py.

python train.py --workdir runs/mine --config configs/fine_tune.py --data cells --weights yolov3.weights
"""

from yolojax.configs.fine_tune import get_config

__all__ = ["get_config"]
