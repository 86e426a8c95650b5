"""Pascal VOC: `--config voc` by its path. The fields are in yolojax/configs/voc.py.

python train.py --workdir runs/voc --config configs/voc.py --config.data.val=VOCdevkit/VOC2007:test
"""

from yolojax.configs.voc import get_config

__all__ = ["get_config"]
