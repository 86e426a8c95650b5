"""Parts of a user's own in a run: loss, assignment, network, optimizer, schedule, data, augmentation, callbacks.

A field of the configuration that names a part also takes "package.module:name". The part is found by import, where the current
folder counts as well. A program can give the same parts as objects, in `Parts`.
"""

import contextlib
import dataclasses
import difflib
import functools
import importlib
import importlib.machinery
import inspect
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from yolojax.errors import InputError, first_line

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

_ORIGINS: dict[str, str | None] = {}
"""The files of the top-level modules that were imported here."""

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"


@dataclasses.dataclass(frozen=True)
class Parts:
    """Parts of a run that a program gives as objects; None for those that the configuration names.

    The configuration records the importable name of each part, "module:name", so that the run can be resumed, evaluated, used
    and exported with its workdir alone; a `functools.partial` with keyword arguments that JSON has is recorded with these. A
    part without such a name, such as a lambda or a function of the program that is running, has to be given again each time.

    Attributes:
        loss: (raw, targets, grid, **options) -> LossTerms, {name: (B,)} or (B,), see `yolojax.loss.named_terms`.
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
                if (part is not None or several) and (not callable(part) or _is_module(part)):
                    raise InputError(
                        f"Parts({kind}={_shown(part)}) is not a function that makes or computes it; see the documentation of "
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
                return _base(part) if is_reference(name) else part
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
            _set(config, OPTIONS[kind], {**_get(config, OPTIONS[kind]), **options})
    return config


def is_reference(value: Any) -> bool:
    """Whether a value of a field names a part that is found by import, "package.module:name"."""
    return isinstance(value, str) and re.fullmatch(f"{_NAME}:{_NAME}", value) is not None


def is_part(value: Any) -> bool:
    """Whether a value of a field stands for a part of a user's own, with an importable name or without."""
    return is_reference(value) or (isinstance(value, str) and re.fullmatch(r"<.+>", value, re.DOTALL) is not None)


def name_of(part: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    """The name under which a part can be imported, and the options that it brings along.

    Args:
        part: a function, a class, or a `functools.partial` with keyword arguments alone.

    Returns:
        "module:name", or "<NAME of MODULE>" for an object that no module has under its name; and the keyword arguments of a
        partial.
    """
    base = _base(part)
    module, name = getattr(base, "__module__", None), getattr(base, "__qualname__", None)
    if isinstance(base, functools.partial):  # of something that JSON does not have
        module = getattr(base.func, "__module__", None)
    if module and module != "__main__":
        with contextlib.suppress(Exception):
            imported = importlib.import_module(module)
            reference = f"{module}:{_name_in(imported, name, base)}"
            if is_reference(reference) and _same(_attribute(imported, reference.partition(":")[2]), base):
                return reference, dict(part.keywords) if base is not part else {}
    return f"<{name or type(base).__name__} of {module or type(base).__module__}>", {}


def _name_in(module, name, part):
    """The name of a part in its module: its own, or that of the variable that holds it, such as an instance or a lambda."""
    with contextlib.suppress(AttributeError):
        if name and _same(_attribute(module, name), part):
            return name
    return next(variable for variable, value in vars(module).items() if value is part)


def _same(one, other):
    # A class makes a new object each time one of its class methods is asked for.
    return one is other or (inspect.ismethod(one) and one == other)


def find_part(field: str, reference: str) -> Callable[..., Any]:
    """Imports the part that a reference names; the current folder is searched first.

    A program that changes its folder finds there another module of the same name.

    Args:
        field: the name of the field in messages, such as "config.loss.name".
        reference: "package.module:name".

    Raises:
        InputError: there is no such module, it cannot be imported, or it has no such name.
    """
    return _find_part(field, reference, os.getcwd())


@functools.cache
def _find_part(field: str, reference: str, folder: str) -> Callable[..., Any]:
    module_name, _, name = reference.partition(":")
    top = module_name.partition(".")[0]
    try:
        with _first_among_folders(folder):
            _forget_other(top, folder)
            known = top in sys.modules
            module = importlib.import_module(module_name)
            if not known:
                _ORIGINS[top] = getattr(sys.modules[top], "__file__", None)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            if module_name.endswith(".py"):
                raise InputError(
                    f"{field} is {reference!r}; a module is named without .py: {module_name[:-3]}:{name}"
                ) from None
            raise InputError(
                f"{field} is {reference!r}, but there is no module {error.name!r}: neither in the current folder, "
                f"{folder}, nor among the installed packages; run the command in the folder that holds it, or install it"
            ) from None
        raise InputError(f"{field}: {module_name} cannot be imported: {_reason(error)}") from error
    except Exception as error:  # whatever a user's module raises
        raise InputError(f"{field}: {module_name} cannot be imported: {_reason(error)}") from error
    try:
        part = _attribute(module, name)
    except AttributeError:
        close = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"{field}: {module_name} ({module.__file__}) has no {name!r}{hint}") from None
    if not callable(part) or _is_module(part):
        raise InputError(f"{field}: {reference} is {_shown(part)}, but a function is needed")
    return part


def json_options(value: Any) -> str | None:
    """What is wrong with a value of a field of options; None if it is a dict of values that JSON has."""
    try:
        plain = isinstance(value, dict) and all(isinstance(key, str) for key in value)
        if plain and json.loads(json.dumps(value, allow_nan=False)) == _lists(value):
            return None
    except (TypeError, ValueError, RecursionError):
        pass
    return 'must be keyword arguments that JSON has, such as {"gamma": 2.0}'


def options_of(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of one of several parts: those under its name, and those that are under no part's name.

    Args:
        options: keyword arguments of all parts, and {"module:name": {keyword arguments of that part}}.
        name: the part's name.
    """
    shared = {key: value for key, value in options.items() if not is_part(key)}
    return shared | dict(options.get(name, {}))


def _lists(value):
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _base(part):
    named = isinstance(part, functools.partial) and not part.args and json_options(dict(part.keywords)) is None
    return part.func if named else part


def _shown(part):
    return " ".join(repr(part).split())


def _is_module(part):
    """Whether a part is a Flax module already: it can be called, but makes nothing."""
    return hasattr(part, "apply") and not isinstance(part, type)


def _attribute(module, name):
    return functools.reduce(getattr, name.split("."), module)


def _get(config, field):
    return functools.reduce(getattr, field.split("."), config)


def _set(config, field, value):
    section, _, name = field.rpartition(".")
    setattr(_get(config, section), name, value)


def _reason(error):
    """The kind and first line of an exception, and where in the user's file it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}:{error.lineno})"
    return f"{type(error).__name__}: {first_line(error)}{where}"


def _forget_other(top: str, folder: str) -> None:
    """Forgets a module that was imported here from another folder, if this folder has one of the same name."""
    spec = importlib.machinery.PathFinder.find_spec(top, [folder])
    if top in _ORIGINS and spec and spec.origin not in (None, _ORIGINS[top]):
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{top}.")]:
            del sys.modules[name]


@contextlib.contextmanager
def _first_among_folders(folder: str) -> Iterator[None]:
    """Puts the current folder first among those that are searched for modules, and leaves it last, for later imports of them.

    First for good, it could hide modules that other libraries import later.
    """
    before = list(sys.path)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = [*before, *([] if folder in before else [folder])]
