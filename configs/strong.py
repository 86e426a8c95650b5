"""Your own pictures by a stronger recipe: `--config strong` by its path. The fields are in yolojax/configs/strong.py.

python train.py --workdir runs/mine --config configs/strong.py --config.data.train=cells --config.data.val=cells
"""

from yolojax.configs.strong import get_config

__all__ = ["get_config"]
