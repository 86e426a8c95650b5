"""The values of a configuration: from and to JSON, compared, checked against the declarations of their fields, described."""

import dataclasses
import itertools
import json
import sys
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from yolojax.errors import InputError
from yolojax.fields import Check, Conditions, Declaration, Depending, full_name, leaves
from yolojax.references import is_part

T = TypeVar("T")

LARGEST_FLOAT = 3.4e38  # of float32, in which the steps compute


def to_dict(config: Any) -> dict[str, Any]:
    """Turns a configuration, or a section of one, into nested dicts of plain JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def read(cls: type[T], values: Any, where: str = "config") -> T:
    """Builds a configuration from nested dicts, as JSON or ml_collections give them; absent fields keep their defaults.

    Args:
        cls: the dataclass to build.
        values: values by field; those of a section in a dict of its own.
        where: name of the configuration in messages.

    Raises:
        InputError: a field that does not exist, a value of the wrong type or a number that is not finite; the message gives the
            dotted name of the field.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where} must be a group of fields, not {values!r}")
    hints = typing.get_type_hints(cls)
    config = cls()
    for name, value in values.items():
        if name not in hints:
            raise InputError(f"{where}.{name} does not exist; the fields of {where} are {', '.join(hints)}")
        setattr(config, name, _convert(value, hints[name], f"{where}.{name}"))
    return config


def _convert(value, hint, where):
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return read(hint, value, where)
    kind = typing.get_origin(hint) or hint
    if kind is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{where} must be a group of keyword arguments, not {value!r}")
        return dict(value)
    if kind is tuple:
        if is_part(value):
            value = (value,)
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} must be a list, not {value!r}")
        element = typing.get_args(hint)[0]
        if typing.get_origin(element) is tuple:  # the check of the field looks at what it holds
            return _nested_tuple(value)
        return tuple(_convert(item, element, f"{where}[{i}]") for i, item in enumerate(value))
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{where} must be of type {kind.__name__}, not {value!r}")
    if kind is not float:
        return value
    if not abs(value) <= sys.float_info.max:
        raise InputError(f"{where} must be finite, not {value!r}")
    if abs(value) > LARGEST_FLOAT:
        raise InputError(f"{where} must be at most {LARGEST_FLOAT:g}, the largest number of float32, not {value!r}")
    return float(value)


def _nested_tuple(value):
    return tuple(map(_nested_tuple, value)) if isinstance(value, list | tuple) else value


def flatten(config: Any) -> dict[str, Any]:
    """The fields of a configuration by dotted name, {"optimizer.learning_rate": 0.0001, ...}, as plain JSON values."""
    return json.loads(json.dumps({leaf.name: leaf.value for leaf in leaves(config)}))


def differences(old: Any, new: Any) -> list[str]:
    """Names the fields in which two configurations differ: ["field: old value -> new value", ...]."""
    old, new = flatten(old), flatten(new)
    return [f"{name}: {json.dumps(old[name])} -> {json.dumps(new[name])}" for name in new if old[name] != new[name]]


def verify(config: Any) -> None:
    """Checks a configuration against the declarations of its fields.

    Raises:
        InputError: a value that its field does not accept, one that is set although nothing uses it, two that do not go
            together, or one that is missing; the message gives the dotted names.
    """
    fields = list(leaves(config))
    values = {leaf.name: leaf.value for leaf in fields}
    defaults = {leaf.name: leaf.value for leaf in leaves(type(config)())}
    for name, declaration, value in fields:
        problem = _applicable(name, declaration.check, values).problem(value)
        if problem:
            raise InputError(f"config.{name} {problem}, not {value!r}")
    changed = [leaf for leaf in fields if leaf.value != defaults[leaf.name]]
    for name, declaration, value in changed:
        problems = _problems(name, declaration.used_with, values)
        if problems and all(problems.values()) and not any(is_part(values[other]) for other in problems):
            others = " or ".join(problems)
            first, problem = next(iter(problems.items()))
            raise InputError(
                f"config.{name} is {value!r}, which nothing uses: config.{others} {problem} for that, not {values[first]!r}; "
                f"set that, or leave this at {defaults[name]!r}"
            )
    for name, declaration, _ in changed:
        for other, problem in _problems(name, declaration.needs, values).items():
            if problem:
                raise InputError(f"config.{other} {problem} with config.{name}, not {values[other]!r}")
    for name, declaration, value in fields:
        required = declaration.required
        if required and not value and not any(_problems(name, required.conditions, values).values()):
            raise InputError(f"config.{name} is not set: {required.hint}")


def unused_by_parts(config: Any) -> list[str]:
    """The fields that are set and that no part of the run uses, because the user's own has taken the place of one that would.

    A named configuration sets such fields for the parts that it names, so they are not refused.

    Returns:
        Dotted names.
    """
    fields = list(leaves(config))
    values = {leaf.name: leaf.value for leaf in fields}
    defaults = {leaf.name: leaf.value for leaf in leaves(type(config)())}
    unused = []
    for name, declaration, value in fields:
        problems = _problems(name, declaration.used_with, values)
        if value != defaults[name] and problems and all(problems.values()):
            unused.append(name)
    return unused


def _applicable(name: str, check: Check | Depending, values: Mapping[str, Any]) -> Check:
    if isinstance(check, Check):
        return check
    return check.otherwise if check.condition.problem(values[full_name(name, check.other)]) else check.then


def _problems(name: str, conditions: Conditions, values: Mapping[str, Any]) -> dict[str, str | None]:
    others = {full_name(name, other): check for other, check in conditions.items()}
    return {other: check.problem(values[other]) for other, check in others.items()}


def describe(config: Any, prefix: str = "--config.") -> list[str]:
    """Describes every field with its value, its meaning, its range and what it is used with, one line each, for --help."""
    return [
        f"  {prefix}{name}={value!r}  {declaration.doc}{_range(declaration)}" for name, declaration, value in leaves(config)
    ]


def _range(declaration: Declaration) -> str:
    check, notes = declaration.check, []
    if isinstance(check, Depending):
        notes = [check.otherwise.values, f"with {_condition(check.other, check.condition)}: {check.then.values}"]
    elif check.values and not (check.choices and all(choice in declaration.doc for choice in check.choices)):
        notes = [check.values]
    if declaration.used_with:
        notes.append(f"only with {' or '.join(itertools.starmap(_condition, declaration.used_with.items()))}")
    if declaration.needs:
        notes.append(f"only with {', '.join(itertools.starmap(_condition, declaration.needs.items()))}")
    return f" [{'; '.join(notes)}]" if notes else ""


def _condition(other: str, check: Check) -> str:
    return f"{other}={'|'.join(check.choices)}" if check.choices else f"{other} {check.values}".strip()
