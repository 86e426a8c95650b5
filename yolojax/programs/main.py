"""`yolojax COMMAND` and `python -m yolojax COMMAND`: finds the command's program and runs it."""

import argparse
import importlib
import sys
from types import ModuleType
from typing import NamedTuple

from yolojax.errors import InputError, printable
from yolojax.programs.arguments import refuse_slips
from yolojax.runtime.command import COMMANDS, program
from yolojax.runtime.ending import end_interrupted, interrupt_at_signals
from yolojax.runtime.limits import check_current_folder, check_limits, shortage_of
from yolojax.runtime.streams import drop_stdout, prepare_streams


class _Command(NamedTuple):
    module: str
    help: str
    uses_devices: bool = False  # and does not check them itself


_ABSL = {
    "train": _Command("train", "train a detector, or resume a run"),
    "eval": _Command("evaluate", "evaluate a trained detector; write a report"),
    "detect": _Command("detect", "find objects in pictures, videos and camera images"),
}
_ARGPARSE = {
    "check": _Command("check", "examine a data set before training"),
    "anchors": _Command("anchors", "find anchors that fit a data set"),
    "convert": _Command("convert", "write annotations in another format"),
    "split": _Command("split", "divide a data set into training, validation and test pictures"),
    "digits": _Command("digits", "write a small detection set of handwritten digits"),
    "import": _Command("import_darknet", "make a workdir from Darknet's files", uses_devices=True),
    "export": _Command("export", "write a trained network for other programs", uses_devices=True),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name; by default those of the process.

    Returns:
        The exit status: 0, or 1 where `check` finds problems, 1 after an error, which is shown as one line, 130 after Ctrl-C,
        143 after SIGTERM and 129 after SIGHUP.
    """
    interrupt_at_signals()
    prepare_streams()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in _ABSL:
            return _run_absl(*arguments)
        parser = _parser(arguments[0] if arguments else None)
        if not arguments:
            parser.print_help(sys.stderr)
            parser.exit(2)
        options = parser.parse_args(arguments)
        check_current_folder()
        flags = {argument.partition("=")[0] for argument in arguments}
        refuse_slips({f"--{name}" if f"--{name}" in flags else name.upper(): value for name, value in vars(options).items()})
        if _ARGPARSE[arguments[0]].uses_devices:
            from yolojax.programs.cli import report_failed_writes_once
            from yolojax.runtime.devices import check_devices

            report_failed_writes_once()
            check_limits()
            check_devices()
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of the output, such as head, has closed it
        drop_stdout()
        return 1
    except (InputError, OSError) as error:
        print(printable(f"error: {' '.join(str(error).split())}"), file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        shortage = shortage_of(error)
        if not shortage:
            raise
        print(f"error: {shortage}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        return end_interrupted(interrupt)


def _run_absl(name: str, *arguments: str) -> int:
    from yolojax.programs import cli

    # absl and ml_collections read sys.argv, and errors begin with its first word.
    sys.argv = [f"{program()} {name}", *arguments]
    module = _load(_ABSL[name])
    cli.run(module.main, module.define, module.__doc__)
    return 0


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser of all commands; only the chosen one is loaded and has its arguments."""
    parser = argparse.ArgumentParser(
        prog=program(),
        description="YOLOv3 for JAX: train a detector on your own pictures, evaluate it and use it.",
        epilog=f"{program()} COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    every = _ABSL | _ARGPARSE
    for name in COMMANDS:
        command = commands.add_parser(name, help=every[name].help)
        if name == chosen:
            module = _load(every[name])
            module.define(command)
            command.set_defaults(run=module.main)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        from yolojax import __version__

        print(f"yolojax {__version__}")
        parser.exit()


def _load(command: _Command) -> ModuleType:
    return importlib.import_module(f"yolojax.programs.{command.module}")
