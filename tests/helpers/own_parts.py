"""Parts of a user's own, one of each kind; a test also copies this file to where a user would have it."""

import json
import os

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from yolojax import assign, yolo_loss
from yolojax.data.sources import DigitsSource

ANCHORS = (((12.0, 16.0), (24.0, 32.0)), ((32.0, 40.0), (48.0, 64.0)))


def loss(raw, targets, grid, *, gamma=1.0):
    """The usual terms, two of them as one, and a third on the sizes."""
    terms = yolo_loss(raw, targets, grid)
    sizes = sum((head[..., 2:4] ** 2).mean((1, 2, 3, 4)) for head in raw)
    return {"box": terms.box, "rest": terms.objectness + terms.classification, "sizes": gamma * sizes}


def rule(boxes_xyxy, classes, grid, *, max_boxes, iou=0.4):
    """The usual rule, with room for two more slots of each box."""
    targets = assign(boxes_xyxy, classes, grid, max_boxes=max_boxes, iou_threshold=iou)
    more = np.full((max_boxes, 2), grid.num_slots, np.int32)
    return targets._replace(slots=np.concatenate([targets.slots, more], axis=1))


class Net(nn.Module):
    """Two scales of two anchors; no batch normalization, and of the fields of our networks only the number of classes."""

    num_classes: int
    width: int = 8

    @nn.compact
    def __call__(self, images, *, train):
        x = images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images
        scale = self.param("scale", nn.initializers.constant(0.7), ())
        heads = []
        for stage in range(4):
            x = nn.relu(nn.GroupNorm(4)(nn.Conv(self.width * 2**stage, (3, 3), (2, 2))(x)))
            if stage >= 2:
                y = nn.Conv(2 * (5 + self.num_classes), (1, 1))(scale * x)
                heads.append(y.reshape(*y.shape[:3], 2, -1))
        return tuple(heads)


class Anchored(Net):
    """The same, with anchors."""

    anchors: tuple = ANCHORS


def lion(schedule, *, b1=0.9):
    return optax.lion(schedule, b1=b1)


def rising(steps_per_epoch, total_steps, *, peak=1e-3):
    return lambda step: peak * (step / total_steps) ** 0.5


class Source(DigitsSource):
    """Scenes of digits, with a fingerprint."""

    def fingerprint(self):
        return {"length": self.length, "size": (self.size, self.size)}


def source(config, split, *, length=16):
    return Source(config.seed, length if split == "train" else 4, 64, held_out=split != "train")


def dim(rng, example, *, least=0.5):
    return example._replace(image=(example.image * rng.uniform(least, 1)).astype(np.uint8))


def tell(event):
    with open(os.path.join(event.workdir, "events.jsonl"), "a") as file:
        file.write(json.dumps([event.kind, event.step, dict(event.numbers)]) + "\n")


def get_config():
    """A run of all of them; this module is imported by whichever name it has."""
    from yolojax.config import Config

    config, own = Config(), __name__ if "." in __name__ else "own_parts"
    config.model.name, config.model.options, config.model.anchors = f"{own}:Net", {"width": 4}, ANCHORS
    config.data.source, config.data.options = f"{own}:source", {"length": 24}
    config.data.size, config.data.max_boxes = (64, 64), 8
    config.data.augment.more, config.data.augment.options = (f"{own}:dim",), {"least": 0.7}
    config.loss.name, config.loss.options = f"{own}:loss", {"gamma": 0.5}
    config.loss.assign_rule, config.loss.assign_options = f"{own}:rule", {"iou": 0.35}
    config.optimizer.name, config.optimizer.options = f"{own}:lion", {"b1": 0.8}
    config.optimizer.schedule, config.optimizer.schedule_options = f"{own}:rising", {"peak": 2e-3}
    config.train.callbacks = (f"{own}:tell",)
    config.train.batch_size, config.train.epochs = 8, 4.0
    config.train.log_steps, config.train.eval_epochs, config.train.checkpoint_steps = 2, 2.0, 4
    return config
