"""What train, eval and detect share: flags, help, and errors as one line."""

import asyncio
import functools
import logging
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from absl import flags
from absl import logging as absl_logging

from yolojax.configs import FOLDER
from yolojax.errors import InputError
from yolojax.programs.arguments import refuse_slips
from yolojax.programs.config_flag import config_flag, config_value, prepare_config_arguments
from yolojax.runtime.command import as_typed
from yolojax.runtime.compilation_cache import cache_compiled_programs, remove_damaged_entries
from yolojax.runtime.console import report_error
from yolojax.runtime.ending import end_interrupted, interrupt_at_signals
from yolojax.runtime.limits import check_current_folder, check_limits, shortage_of
from yolojax.runtime.streams import drop_stdout, outlive_readers, prepare_streams, say

__all__ = ["config_flag", "config_value", "run"]


def run(main: Callable[[list[str]], object], define: Callable[[], object], doc: str | None) -> None:
    """Runs a program: parses its flags and calls it; the user's mistakes become one line on stderr.

    Returns when `main` does; else exits with 1 for input that cannot be used, 2 for wrong flags, 130 after Ctrl-C, 143 after
    SIGTERM and 129 after SIGHUP. Results are files, so a program whose stdout is closed or no longer read continues.

    Args:
        main: called with the arguments that are not flags.
        define: defines the flags; called once.
        doc: what the program does, for --help; each "yolojax COMMAND" in it is shown as the user can type it.
    """
    interrupt_at_signals()
    prepare_streams()
    report_failed_writes_once()
    try:
        check_current_folder()
        check_limits()
    except InputError as error:
        _fail(error, 1)
    remove_damaged_entries(cache_compiled_programs())
    # Matplotlib announces that it lists the machine's fonts, or where it keeps that list.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        arguments = _parse(define, doc or "")
    except Exception as error:  # the flag libraries raise many kinds; all of them mean a flag that cannot be used
        _fail(error, 2)
    outlive_readers()
    try:
        given = {f"--{flag.name}": "" if flag.value == [] else flag.value for flag in _own_flags() if flag.present}
        refuse_slips(given | {"an argument": arguments})
        main(arguments)
    except InputError as error:
        _fail(error, 1)
    except OSError as error:
        _fail(error, 1)
    except (MemoryError, RuntimeError) as error:
        shortage = shortage_of(error)
        if not shortage:
            raise
        _fail(InputError(shortage), 1)
    except KeyboardInterrupt as interrupt:
        sys.exit(end_interrupted(interrupt))


def _parse(define: Callable[[], object], doc: str) -> list[str]:
    asked_for_help = any(re.fullmatch(r"--?(help|h)", argument) for argument in sys.argv[1:])
    if not asked_for_help:
        # ml_collections reads sys.argv itself.
        sys.argv[1:] = prepare_config_arguments(sys.argv[1:])
    define()
    if asked_for_help:
        try:
            _print_help(doc)
        except BrokenPipeError:  # the reader, such as head, has closed it
            drop_stdout()
        sys.exit(0)
    arguments = flags.FLAGS(sys.argv)[1:]
    if "config" in flags.FLAGS:
        config_value()
    return arguments


def _print_help(doc: str) -> None:
    say(as_typed(doc).strip() + "\n\nFlags:")
    for flag in _own_flags():
        default = "" if flag.default is None else f" (default: {_default_as_text(flag)})"
        say(f"  --{flag.name}  {as_typed(flag.help or '')}{default}")
    if "config" in flags.FLAGS:
        from yolojax.config import help_text

        say(f"\nThe named configurations are files in {FOLDER}")
        say("\nFields of the configuration, with the defaults that a config file starts from:")
        say(as_typed("\n".join(help_text())))


def _own_flags() -> list[Any]:
    return [flag for module, flags_ in flags.FLAGS.flags_by_module_dict().items() for flag in flags_ if "absl" not in module]


def _default_as_text(flag: Any) -> str:
    # The default of --config is the path of a file that comes with yolojax; users know it by its name.
    return Path(flag.default_as_str.strip("'")).stem if flag.name == "config" else flag.default_as_str


@functools.cache
def report_failed_writes_once() -> None:
    """Keeps libraries from printing what becomes one line of an error: a checkpoint that cannot be written."""
    # When an array of a checkpoint cannot be written, Orbax raises an error, which becomes our one line. It also logs it from
    # its own threads, asyncio logs and warns of the arrays beside it, and tensorstore prints a traceback for each array that
    # finds its loop closed.
    absl_logging.set_verbosity(absl_logging.FATAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    call = asyncio.BaseEventLoop.call_soon_threadsafe

    def call_if_open(loop: Any, *arguments: Any, **options: Any) -> Any:
        return None if loop.is_closed() else call(loop, *arguments, **options)

    asyncio.BaseEventLoop.call_soon_threadsafe = call_if_open  # pyright: ignore[reportAttributeAccessIssue]


def _fail(error: Exception, status: int) -> NoReturn:
    report_error(error)
    sys.exit(status)
