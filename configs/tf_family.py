"""The TensorFlow YOLOv3 family: `--config tf_family` by its path. The fields are in yolojax/configs/tf_family.py.

python train.py --workdir runs/mine --config configs/tf_family.py --config.data.train=train.txt --config.data.val=test.txt
"""

from yolojax.configs.tf_family import get_config

__all__ = ["get_config"]
