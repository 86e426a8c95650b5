"""Your own pictures, in text lists: one picture a line, `path x1,y1,x2,y2,class x1,y1,x2,y2,class ...`.

python train.py --workdir runs/mine --config configs/text_list.py \
    --config.data.train=train.txt --config.data.val=val.txt --config.data.names=classes.names

`--config configs/text_list.py:yolov3_tiny` trains the small network, which a CPU can do. Before a long run, copy this file and
set the fields here.
"""

from yolojax.config import Config


def get_config(network="yolov3"):
    config = Config()
    config.model.name = network
    config.data.source = "list"
    config.data.train = "train.txt"
    config.data.val = "val.txt"
    config.data.names = "classes.names"
    config.data.size = (416, 416)  # height, width in pixels, multiples of 32
    config.train.batch_size = 8  # pictures a step, over all devices
    config.train.epochs = 100.0
    config.optimizer.learning_rate = 1e-4 if network == "yolov3" else 1e-3
    config.optimizer.clip_norm = 20.0
    return config
