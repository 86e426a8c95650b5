"""Names of parts, "package.module:name": what they are, what they stand for, and which name a part has."""

import contextlib
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
from collections.abc import Callable, Iterator
from typing import Any

from yolojax.errors import InputError, first_line

_ORIGINS: dict[str, str | None] = {}
"""The files of the top-level modules that were imported here."""

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"


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
    base = base_of(part)
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
    if not callable(part) or is_flax_module(part):
        raise InputError(f"{field}: {reference} is {shown(part)}, but a function is needed")
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


def _lists(value):
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def base_of(part: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a partial whose keyword arguments JSON has; any other part itself."""
    named = isinstance(part, functools.partial) and not part.args and json_options(dict(part.keywords)) is None
    return part.func if named else part


def shown(part: Any) -> str:
    """A part in one line, for messages."""
    return " ".join(repr(part).split())


def is_flax_module(part: Any) -> bool:
    """Whether a part is a Flax module already: it can be called, but makes nothing."""
    return hasattr(part, "apply") and not isinstance(part, type)


def _attribute(module, name):
    return functools.reduce(getattr, name.split("."), module)


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
