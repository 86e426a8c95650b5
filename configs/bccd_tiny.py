"""Blood cells (BCCD) with YOLOv3-tiny: `--config bccd_tiny` by its path. The fields are in yolojax/configs/bccd_tiny.py.

python train.py --workdir runs/bccd_tiny --config configs/bccd_tiny.py
"""

from yolojax.configs.bccd_tiny import get_config

__all__ = ["get_config"]
