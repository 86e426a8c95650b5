"""What the programs share: flags, help, and errors as one line."""

import asyncio
import contextlib
import difflib
import logging
import os
import re
import sys
import warnings

from absl import flags
from absl import logging as absl_logging

from yolojax.errors import InputError
from yolojax.runtime.console import report_error


def run(main, define, doc):
    """Runs a program: parses its flags and calls it; what the user got wrong becomes one line on stderr.

    Exits with 0 when `main` returns, 1 for input that cannot be used, 2 for wrong flags, 130 after Ctrl-C.

    Args:
        main: called with the arguments that are not flags.
        define: defines the flags; called once.
        doc: what the program does, for --help.
    """
    _report_failed_writes_once()
    _keep_compiled_programs()
    # It would say that it lists the machine's fonts, once, or where it keeps that list.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        arguments = _parse(define, doc)
    except Exception as error:  # the flag libraries raise many kinds; all of them mean a flag that cannot be used
        _fail(error, 2)
    try:
        main(arguments)
    except InputError as error:
        _fail(error, 1)
    except OSError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)


def config_flag(default):
    """Defines --config, a config file whose fields any --config.FIELD=VALUE overrides."""
    from ml_collections import config_flags

    config_flags.DEFINE_config_file("config", default, "config file; any field is overridden by --config.FIELD=VALUE")


def config_value():
    """The configuration of --config with its overrides."""
    config = flags.FLAGS.config
    # A config file that could not be loaded raises its own error at the first look.
    getattr(config, "model", None)
    return config


def _parse(define, doc):
    asked_for_help = any(re.fullmatch(r"--?(help|h)", argument) for argument in sys.argv[1:])
    if not asked_for_help:
        # ml_collections reads sys.argv itself.
        sys.argv[1:] = _config_file_first(sys.argv[1:])
        _check_config_fields(sys.argv[1:])
    define()
    if asked_for_help:
        _print_help(doc)
        sys.exit(0)
    arguments = flags.FLAGS(sys.argv)[1:]
    if "config" in flags.FLAGS:
        config_value()
    return arguments


def _config_file_first(arguments):
    """The arguments with --config before its overrides, as ml_collections wants them; a file that is not there is refused."""
    for place, argument in enumerate(arguments):
        match = re.fullmatch(r"--?config(?:=(.*))?", argument)
        if match:
            end = place + (2 if match[1] is None else 1)
            value = "".join(arguments[place + 1 : end]) if match[1] is None else match[1]
            path = value.rpartition(":")[0] if re.fullmatch(r".*\.py:.*", value) else value
            if not os.path.isfile(path):
                raise InputError(f"--config: there is no config file {path!r}")
            return arguments[place:end] + arguments[:place] + arguments[end:]
    return arguments


def _check_config_fields(arguments):
    from yolojax.config import Config, flatten

    fields = flatten(Config())
    groups = {name.rpartition(".")[0] for name in fields}
    for argument in arguments:
        match = re.match(r"--?(?:no)?config\.([^=]+)", argument)
        name = match and match[1]
        if match and name not in fields and name not in groups:
            close = difflib.get_close_matches(name, fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; --help lists them all"
            raise InputError(f"--config.{name}: there is no such field{hint}")


def _print_help(doc):
    print(doc.strip() + "\n\nFlags:")
    own = [flag for module, flags_ in flags.FLAGS.flags_by_module_dict().items() for flag in flags_ if "absl" not in module]
    for flag in own:
        default = "" if flag.default is None else f" (default: {flag.default_as_str})"
        print(f"  --{flag.name}  {flag.help}{default}")
    if "config" in flags.FLAGS:
        from yolojax.config import help_text

        print("\nFields of the configuration, with the defaults that a config file starts from:")
        print("\n".join(help_text()))


def _keep_compiled_programs():
    # Set before JAX starts, which reads it then; JAX's own settings, given by the user, go first.
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(cache, "yolojax", "compiled")
    with contextlib.suppress(OSError):  # without a home that can be written, every program is compiled anew
        os.makedirs(folder, exist_ok=True)
        if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", folder)


def _report_failed_writes_once():
    # When an array of a checkpoint cannot be written, Orbax raises that where it becomes our one line. It logs it from its own
    # threads too, asyncio logs and warns of the arrays beside it, and tensorstore prints a traceback for each that finds its
    # loop closed.
    absl_logging.set_verbosity(absl_logging.FATAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    call = asyncio.BaseEventLoop.call_soon_threadsafe

    def call_if_open(loop, *arguments, **options):
        return None if loop.is_closed() else call(loop, *arguments, **options)

    asyncio.BaseEventLoop.call_soon_threadsafe = call_if_open


def _fail(error, status):
    report_error(error)
    sys.exit(status)
