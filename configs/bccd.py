"""Blood cells (BCCD) with YOLOv3: `--config bccd` by its path. The fields are in yolojax/configs/bccd.py.

python train.py --workdir runs/bccd --config configs/bccd.py
"""

from yolojax.configs.bccd import get_config

__all__ = ["get_config"]
