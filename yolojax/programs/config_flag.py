"""The flag --config: a configuration by name or path, and --config.FIELD=VALUE for each of its fields."""

import difflib
import os
import re
from typing import cast

from absl import flags

from yolojax.config import Config, flatten
from yolojax.configs import config_names, config_path
from yolojax.errors import InputError


def config_flag(default: str) -> None:
    """Defines --config, whose fields any --config.FIELD=VALUE overrides.

    Args:
        default: name of the configuration that is used without the flag.
    """
    from ml_collections import config_flags

    text = f"{', '.join(config_names())}, or the path of a config file; --config.FIELD=VALUE overrides any of its fields"
    config_flags.DEFINE_config_file("config", str(config_path(default)), text)


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
