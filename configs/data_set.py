"""Your own pictures: `--config data_set` by its path. The fields are in yolojax/configs/data_set.py.

python train.py --workdir runs/mine --config configs/data_set.py --config.data.train=cells --config.data.val=cells
"""

from yolojax.configs.data_set import get_config

__all__ = ["get_config"]
