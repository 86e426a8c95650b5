"""What a training run will do, worked out from its configuration and its data before anything is written."""

import dataclasses
import importlib
import math
import os
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import optax
from jax.sharding import Mesh, NamedSharding

from yolojax.config import Config, checked, flatten
from yolojax.darknet.edit import with_anchors, with_classes
from yolojax.data.sources import open_split
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.inference import Recipe
from yolojax.loss import build_loss
from yolojax.models import build_grid, build_model
from yolojax.models.memory import check_batch_fits
from yolojax.parts import NO_PARTS, Parts, recorded
from yolojax.runs.imported import adopt_model
from yolojax.runs.meta import MOST_STEPS
from yolojax.runtime.allocator import keep_freed_memory
from yolojax.runtime.devices import check_batch_size, make_mesh, shardings
from yolojax.runtime.hosts import check_same_on_all_hosts
from yolojax.runtime.paths import absolute
from yolojax.training.events import Event
from yolojax.training.optimizer import make_optimizer
from yolojax.training.own_parts import check_parts
from yolojax.training.pretrained import adopt_network
from yolojax.training.schedules import make_schedule


@dataclasses.dataclass(frozen=True)
class Plan:
    """A training run before it starts.

    Attributes:
        config: the resolved configuration.
        sources: {"train", "val"}: the splits, see `open_split`.
        mesh: all devices.
        model: the network.
        recipe: what turns images into detections with it.
        train_grids: slots of each input size that is trained on.
        loss: function of (raw heads, targets, grid) to LossTerms.
        schedule: step, from 1, -> learning rate.
        optimizer: optax transformation.
        steps_per_epoch: training images divided by the batch size; not a whole number in general.
        total_steps: steps of the whole run.
        parts: parts that a program gives as objects.
        callbacks: the functions of `config.train.callbacks`.
    """

    config: Config
    sources: dict
    mesh: Mesh
    model: nn.Module
    recipe: Recipe
    train_grids: list[AnchorGrid]
    loss: Callable[..., Any]
    schedule: Callable
    optimizer: optax.GradientTransformation
    steps_per_epoch: float
    total_steps: int
    parts: Parts
    callbacks: tuple[Callable[[Event], object], ...]

    @property
    def replicated(self) -> NamedSharding:
        """Sharding of the state: whole on every device."""
        return shardings(self.mesh)[0]

    @property
    def batch_sharding(self) -> NamedSharding:
        """Sharding of a batch: split over the devices."""
        return shardings(self.mesh)[1]

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers that describe the run, for callbacks."""
        pictures = {name: len(self.sources[split]) for name, split in (("training", "train"), ("validation", "val"))}
        counts = {f"{name}_pictures": number for name, number in pictures.items()}
        return {"total_steps": self.total_steps, "steps_per_epoch": self.steps_per_epoch, **counts}

    @property
    def eval_every(self) -> int:
        """Steps between two evaluations."""
        return self._steps(self.config.train.eval_epochs)

    @property
    def keep_every(self) -> int:
        """Steps between two checkpoints that are never deleted; 0: there are none."""
        epochs = self.config.train.keep_every
        evaluations = epochs / self.config.train.eval_epochs
        # So that what is kept has been evaluated even where rounded epochs would drift apart.
        if evaluations.is_integer():
            return round(evaluations) * self.eval_every
        return self._steps(epochs)

    @property
    def frozen_steps(self) -> int:
        """Steps from the start in which the layers of `config.train.freeze` are held."""
        epochs = self.config.train.freeze_epochs
        return self._steps(epochs) if epochs else self.total_steps

    def _steps(self, epochs: float) -> int:
        return max(1, round(min(epochs * self.steps_per_epoch, MOST_STEPS)))

    def frozen(self, step: int) -> str:
        """Regular expression of the layers that are held in a step, "" for none."""
        return self.config.train.freeze if step <= self.frozen_steps else ""

    def evaluates(self, step: int) -> bool:
        """Whether the validation split is evaluated after a step."""
        return step % self.eval_every == 0 or step == self.total_steps

    def saves(self, step: int) -> bool:
        """Whether a checkpoint is saved after a step."""
        kept = self.keep_every > 0 and step % self.keep_every == 0
        return kept or self.evaluates(step) or step % self.config.train.checkpoint_steps == 0


def plan_run(config: Config, workdir: str | os.PathLike[str], parts: Parts = NO_PARTS) -> Plan:
    """Works out what a run of a configuration will do.

    Args:
        config: `Config`, or an ml_collections ConfigDict of the same fields.
        workdir: folder of the run, whose imported network is adopted if there is one.
        parts: parts that a program gives as objects.

    Raises:
        InputError: configuration or data that cannot be used, or that differ between the processes of a distributed run, or
            matplotlib cannot be loaded.
    """
    # The report needs it after the last step; that it is missing must be known before the first.
    importlib.import_module("yolojax.runtime.plotting")
    config = recorded(checked(config), parts)
    callbacks = tuple(parts.build("callbacks", name, {}, "event") for name in config.train.callbacks)
    config, train_source = resolve(adopt_model(config, workdir), parts)
    mesh = make_mesh()
    if config.train.keep_memory and jax.default_backend() == "cpu":
        keep_freed_memory()
    check_batch_size(config.train.batch_size, mesh, "config.train.batch_size", config.train.accumulate)
    largest = max([config.data.size, *config.data.sizes], key=math.prod)
    check_batch_fits("config.train.batch_size", config.train.batch_size, largest)
    check_batch_fits("config.eval.batch_size", config.eval.batch_size, config.data.size)
    val_source = open_split(config, "val", parts)
    if list(val_source.names) != list(train_source.names):
        first, second = (", ".join(source.names) for source in (train_source, val_source))
        raise InputError(f"the classes of the splits train and val differ: {first}; and {second}")
    check_same_on_all_hosts({**flatten(config), "training pictures": len(train_source), "validation pictures": len(val_source)})
    model = build_model(config.model, parts)
    grid = build_grid(config.model, config.data.size, model=model)
    train_grids = [build_grid(config.model, size, model=model) for size in config.data.sizes or [config.data.size]]
    loss = build_loss(config.loss, parts)
    check_parts(config, loss, model, grid, parts)
    steps_per_epoch = len(train_source) / config.train.batch_size
    steps = config.train.epochs * steps_per_epoch
    if steps > MOST_STEPS:
        raise InputError(
            f"config.train.epochs={config.train.epochs:g} are {steps:.3g} steps, more than {MOST_STEPS:,}; give fewer"
        )
    total_steps = max(1, round(steps))
    schedule = make_schedule(config.optimizer, steps_per_epoch, total_steps, parts)
    return Plan(
        config=config,
        sources={"train": train_source, "val": val_source},
        mesh=mesh,
        model=model,
        recipe=Recipe.from_config(config, grid, model),
        train_grids=train_grids,
        loss=loss,
        schedule=schedule,
        optimizer=make_optimizer(config.optimizer, schedule, parts),
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
        parts=parts,
        callbacks=callbacks,
    )


def resolve(config: Config, parts: Parts = NO_PARTS) -> tuple[Config, Any]:
    """Completes a configuration: names of the parts, class names and their number from the data, absolute paths.

    Args:
        config: the configuration.
        parts: parts that a program gives as objects.

    Returns:
        The configuration, and the source of its split "train", which was opened for the class names.

    Raises:
        InputError: fields that are wrong or do not fit each other, or data that cannot be read.
    """
    config = recorded(checked(config), parts)
    for name in ("train", "val", "test", "names"):
        path = getattr(config.data, name)
        setattr(config.data, name, absolute(path) if path else "")
    config.init_from = absolute(config.init_from) if config.init_from else ""
    if config.init_network:
        adopt_network(config)
    source = open_split(config, "train", parts)
    config.data.class_names = tuple(source.names)
    number = len(config.data.class_names)
    if config.model.num_classes not in (0, number):
        raise InputError(f"config.model.num_classes is {config.model.num_classes}, but the data has {number} class names")
    weights = len(config.loss.class_weights)
    if weights not in (0, number):
        raise InputError(f"config.loss.class_weights has {weights} weights, but the data has {number} class names")
    from_scratch = not config.init_from and not config.model.num_classes
    config.model.num_classes = number
    if config.model.name == "darknet" and config.model.cfg:
        if config.init_from or from_scratch:
            config.model.cfg = with_classes(config.model.cfg, number)
        if config.model.anchors:
            config.model.cfg, config.model.anchors = with_anchors(config.model.cfg, config.model.anchors), ()
    return config, source
