"""COCO 2017: `--config coco` by its path. The fields are in yolojax/configs/coco.py.

python train.py --workdir runs/coco --config configs/coco.py
"""

from yolojax.configs.coco import get_config

__all__ = ["get_config"]
