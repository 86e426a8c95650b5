"""Parts of a user's own in a run: loss, assignment, network, optimizer, schedule, data, augmentation, callbacks.

A field of the configuration that names a part also takes "package.module:name". The part is found by import, where the current
folder counts as well. A program can give the same parts as objects, in `Parts`.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from yolojax.errors import InputError, first_line
from yolojax.references import base_of, find_part, is_flax_module, is_part, is_reference, name_of, shown

FIELDS = {
    "loss": "loss.name",
    "assign": "loss.assign_rule",
    "model": "model.name",
    "backbone": "model.backbone",
    "neck": "model.neck",
    "optimizer": "optimizer.name",
    "schedule": "optimizer.schedule",
    "source": "data.source",
    "augment": "data.augment.more",
    "callbacks": "train.callbacks",
}
"""The field of the configuration that names each part."""

OPTIONS = {
    "loss": "loss.options",
    "assign": "loss.assign_options",
    "model": "model.options",
    "backbone": "model.backbone_options",
    "neck": "model.neck_options",
    "optimizer": "optimizer.options",
    "schedule": "optimizer.schedule_options",
    "source": "data.options",
    "augment": "data.augment.options",
}
"""The field with the keyword arguments of each part."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Parts of a run that a program gives as objects; None for those that the configuration names.

    The configuration records the importable name of each part, "module:name", so that the run can be resumed, evaluated, used
    and exported with its workdir alone; a `functools.partial` with keyword arguments that JSON has is recorded with these. A
    part without such a name, such as a lambda or a function of the program that is running, has to be given again each time.

    Attributes:
        loss: (raw, targets, grid, **options) -> LossTerms, {name: (B,)} or (B,), see `yolojax.loss_terms.named_terms`.
        assign: (boxes_xyxy (n, 4), classes (n,), grid, *, max_boxes, **options) -> Targets, in NumPy, for one image.
        model: (num_classes, **options) -> Flax module, from images (B, H, W, 3) to raw heads.
        backbone: (**options) -> Flax module, for `YOLOv3`.
        neck: (**options) -> Flax module, for `YOLOv3`.
        optimizer: (schedule, **options) -> optax transformation; the schedule is one of optax, which counts updates from 0.
        schedule: (steps_per_epoch, total_steps, **options) -> function of the step, counted from 1, to the learning rate.
        source: (config, split, **options) -> Source, for split "train", "val" or "test".
        augment: functions (rng, example, **options) -> Example, applied after the augmentation of the configuration.
        callbacks: functions of an `Event`, called by the first process.
    """

    loss: Callable[..., Any] | None = None
    assign: Callable[..., Any] | None = None
    model: Callable[..., Any] | None = None
    backbone: Callable[..., Any] | None = None
    neck: Callable[..., Any] | None = None
    optimizer: Callable[..., Any] | None = None
    schedule: Callable[..., Any] | None = None
    source: Callable[..., Any] | None = None
    augment: tuple[Callable[..., Any], ...] = ()
    callbacks: tuple[Callable[..., Any], ...] = ()

    def __post_init__(self) -> None:
        for kind in FIELDS:
            given = getattr(self, kind)
            several = kind in ("augment", "callbacks")
            if several:
                given = (given,) if callable(given) else tuple(given)
                object.__setattr__(self, kind, given)
            for part in given if several else (given,):
                if (part is not None or several) and (not callable(part) or is_flax_module(part)):
                    raise InputError(
                        f"Parts({kind}={shown(part)}) is not a function that makes or computes it; see the documentation of "
                        "Parts"
                    )

    def find(self, kind: str, name: str) -> Callable[..., Any]:
        """Finds the part that the configuration names.

        Args:
            kind: a key of `FIELDS`.
            name: the value of its field: "module:name", or what `recorded` wrote for a part without such a name.

        Raises:
            InputError: there is no such module or no such name in it, or a part that has to be given as an object is not.
        """
        given = getattr(self, kind)
        if given is not None and not isinstance(given, tuple) and not is_reference(name):
            return given  # under another name, perhaps, in another program
        for part in given if isinstance(given, tuple) else (given,):
            if part is not None and name_of(part)[0] == name:
                return base_of(part) if is_reference(name) else part
        if not is_reference(name):
            raise InputError(
                f"config.{FIELDS[kind]}: the run was made with {name}, an object that no module has under its name; give it "
                f"again in a program, parts=Parts({kind}=...), or train with one that is named module:name"
            )
        return find_part(f"config.{FIELDS[kind]}", name)

    def build(self, kind: str, name: str, options: Mapping[str, Any], *arguments: str) -> Callable[..., Any]:
        """Finds a part and binds its options.

        Args:
            kind: a key of `FIELDS`.
            name: the value of its field.
            options: keyword arguments.
            *arguments: names of the arguments that it is called with, for the check; those with "=" at the end are given by
                keyword.

        Returns:
            The part as a function of these arguments.

        Raises:
            InputError: as for `find`, or the part does not take these arguments and options.
        """
        part = self.find(kind, name)
        positional = [argument for argument in arguments if not argument.endswith("=")]
        keywords = {argument[:-1]: None for argument in arguments if argument.endswith("=")}
        try:
            signature = inspect.signature(part)
        except (TypeError, ValueError):  # of some functions that are not written in Python
            return functools.partial(part, **options)
        try:
            signature.bind(*positional, **keywords, **options)
        except TypeError as error:
            called = ", ".join([*positional, *(f"{keyword}=..." for keyword in keywords), *(f"{o}=..." for o in options)])
            where = f"config.{OPTIONS[kind]}" if kind in OPTIONS else f"config.{FIELDS[kind]}"
            raise InputError(
                f"config.{FIELDS[kind]}: {name}{signature} is called with ({called}), which does not fit: {first_line(error)}; "
                f"see {where}"
            ) from None
        return functools.partial(part, **options)


NO_PARTS = Parts()


def recorded(config: Any, parts: Parts) -> Any:
    """Writes the names of the parts that a program gives into a configuration, and the options of those that are partials.

    Args:
        config: a `Config`; it is changed.
        parts: the parts.
    """
    for kind, name in FIELDS.items():
        given = getattr(parts, kind)
        if not given:
            continue
        several = isinstance(given, tuple)
        named = [name_of(part) for part in (given if several else (given,))]
        _set(config, name, tuple(reference for reference, _ in named) if several else named[0][0])
        options = {reference: values for reference, values in named if values} if several else named[0][1]
        if options and kind in OPTIONS:
            _set(config, OPTIONS[kind], {**value_of(config, OPTIONS[kind]), **options})
    return config


def options_of(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of one of several parts: those under its name, and those that are under no part's name.

    Args:
        options: keyword arguments of all parts, and {"module:name": {keyword arguments of that part}}.
        name: the part's name.
    """
    shared = {key: value for key, value in options.items() if not is_part(key)}
    return shared | dict(options.get(name, {}))


def value_of(config: Any, field: str) -> Any:
    """The value of a field of a configuration by its dotted name."""
    return functools.reduce(getattr, field.split("."), config)


def _set(config, field, value):
    section, _, name = field.rpartition(".")
    setattr(value_of(config, section), name, value)
