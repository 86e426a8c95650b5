"""The demo, handwritten digits: `--config digits` by its path. The fields are in yolojax/configs/digits.py.

python train.py --workdir runs/digits
"""

from yolojax.configs.digits import get_config

__all__ = ["get_config"]
