"""The flag --config: a configuration by name or path, and --config.FIELD=VALUE for each of its fields."""

import ast
import contextlib
import difflib
import json
import os
import re
from pathlib import Path
from typing import Any, cast

from absl import flags

from yolojax.config import Config, flatten
from yolojax.configs import config_names, config_path
from yolojax.errors import InputError


def config_flag(default: str) -> None:
    """Defines --config, whose fields any --config.FIELD=VALUE overrides.

    Args:
        default: the configuration that is used without the flag, by its name or as the value that the flag would have.
    """
    from ml_collections import config_flags

    config_flags.register_flag_parser_for_type(dict, _OptionsParser())
    text = f"{', '.join(config_names())}, or the path of a config file; --config.FIELD=VALUE overrides any of its fields"
    path = str(config_path(default)) if default in config_names() else default
    config_flags.DEFINE_config_file("config", path, text)


class _OptionsParser(flags.ArgumentParser):
    """Reads keyword arguments, {"name": value, ...}, as JSON or as Python writes them."""

    syntactic_help = "keyword arguments, such as '{\"gamma\": 2.0}'"

    def parse(self, argument: Any) -> dict[str, Any]:
        if isinstance(argument, dict):
            return argument
        for read in (json.loads, ast.literal_eval):
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                value = read(argument)
                if isinstance(value, dict):
                    return value
        raise ValueError(f"{argument!r} is not a group of {self.syntactic_help}")

    def flag_type(self) -> str:
        return "keyword arguments"


def default_config(arguments: list[str]) -> str:
    """Returns the configuration that a training has without --config, as `config_flag` takes it.

    Args:
        arguments: those of the program, without its name.

    Returns:
        That of the run in --workdir, if it is to continue (`continued_run`); else fine_tune with --weights, data_set with
        --data, and digits without either.
    """
    if any(re.fullmatch(r"--?(help|h)", argument) for argument in arguments):
        return "digits"
    workdir = continued_run(arguments)
    if workdir:
        return f"{Path(__file__).with_name('saved_config.py')}:{workdir}"
    if _value(arguments, "weights") is not None:
        return "fine_tune"
    return "digits" if _value(arguments, "data") is None else "data_set"


def continued_run(arguments: list[str]) -> str | None:
    """Returns the workdir whose own configuration a training continues with; None: there is no run, or --config is given.

    A run that was stopped before its first checkpoint counts, except with --data, which may be other data. A network that was
    imported is no run.

    Args:
        arguments: those of the program, without its name.
    """
    workdir = _value(arguments, "workdir")
    if not workdir or _value(arguments, "config") is not None or not os.path.isfile(os.path.join(workdir, "config.json")):
        return None
    try:
        steps = {int(name) for name in os.listdir(os.path.join(workdir, "checkpoints")) if name.isdigit()}
    except OSError:
        steps = set()
    if steps == {0}:
        from yolojax.runs.workdir import is_imported

        return None if is_imported(workdir) else workdir
    return workdir if steps or _value(arguments, "data") is None else None


def chosen_config(arguments: list[str]) -> str | None:
    """Returns the name of the package's configuration that is chosen, by --config or in its place; None for any other.

    Args:
        arguments: those of the program, without its name.
    """
    value = (_value(arguments, "config") or default_config(arguments)).partition(":")[0]
    return next((name for name in config_names() if value in (name, str(config_path(name)))), None)


def overridden_fields() -> set[str]:
    """Returns the dotted names of the fields that --config.FIELD=VALUE sets."""
    from ml_collections import config_flags

    return set(config_flags.get_override_values(flags.FLAGS["config"]))


def config_value() -> Config:
    """Returns the configuration that --config and its overrides select."""
    config = flags.FLAGS.config
    # A config file that could not be loaded raises its own error when it is first used.
    getattr(config, "model", None)
    return cast(Config, config)


def prepare_config_arguments(arguments: list[str]) -> list[str]:
    """Returns the arguments with --config first, as ml_collections needs it, and with its value as a path.

    Args:
        arguments: those of the program, without its name.

    Raises:
        InputError: there is no such configuration or field.
    """
    arguments = _config_first(arguments)
    _check_fields(arguments)
    return arguments


def _value(arguments: list[str], flag: str) -> str | None:
    """The value of a flag among arguments; None where it is not given."""
    for place, argument in enumerate(arguments):
        match = re.fullmatch(rf"--?{flag}(?:=(.*))?", argument, re.DOTALL)
        if match:
            return "".join(arguments[place + 1 : place + 2]) if match[1] is None else match[1]
    return None


def _config_first(arguments: list[str]) -> list[str]:
    for place, argument in enumerate(arguments):
        match = re.fullmatch(r"--?config(?:=(.*))?", argument)
        if match:
            end = place + (2 if match[1] is None else 1)
            value = "".join(arguments[place + 1 : end]) if match[1] is None else match[1]
            return [f"--config={_find(value)}", *arguments[:place], *arguments[end:]]
    return arguments


def _find(value: str) -> str:
    """The path of a configuration given by name or path; ":ARGUMENT" is kept after it."""
    name, colon, argument = value.partition(":")
    if name in config_names():
        return f"{config_path(name)}{colon}{argument}"
    path = value.rpartition(":")[0] if re.fullmatch(r".*\.py:.*", value) else value
    if not os.path.isfile(path):
        raise InputError(f"--config: there is no config file {path!r}; give its path or one of {', '.join(config_names())}")
    return value


def _check_fields(arguments: list[str]) -> None:
    fields = flatten(Config())
    groups = {name.rpartition(".")[0] for name in fields}
    for argument in arguments:
        match = re.match(r"--?(?:no)?config\.([^=]+)", argument)
        name = match and match[1]
        if name and name not in fields and name not in groups:
            close = difflib.get_close_matches(name, fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; --help lists them all"
            raise InputError(f"--config.{name}: there is no such field{hint}")
