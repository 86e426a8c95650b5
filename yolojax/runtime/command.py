"""How this program was called, so that hints and errors name commands that the user can type."""

import os
import re
import shlex
import sys
from pathlib import Path

import yolojax

COMMANDS = ("train", "eval", "detect", "check", "anchors", "convert", "split", "digits", "import", "export")
_SCRIPTS = ("train.py", "eval.py", "detect.py")
_CONFIGS = Path(yolojax.__file__).resolve().parent / "configs"
_CHECKOUT = Path(yolojax.__file__).resolve().parent.parent


def command(name: str) -> str:
    """Returns what to type for one of `COMMANDS`, in the form in which the running program was called.

    Args:
        name: the command, such as "train".

    Returns:
        "yolojax train" where the console script is running; "python train.py" where a script of a checkout is (which has
        scripts for train, eval and detect only); "python -m yolojax train" elsewhere.
    """
    script = Path(sys.argv[0]).with_name(f"{name}.py") if sys.argv[0] else Path()
    if script.name in _SCRIPTS and os.path.basename(sys.argv[0]) in _SCRIPTS and script.resolve().parent == _CHECKOUT:
        return f"python {shlex.quote(str(script))}"
    return f"{program()} {name}"


def command_again(name: str, **values: str | None) -> str:
    """Returns what to type to run a command as now, but with other values of some flags.

    Args:
        name: the command that is running; where a program of the user's calls the library instead, only `values` are named.
        **values: by flag; "config_init_from" stands for --config.init_from. None leaves the flag out.
    """
    flags = {flag.replace("config_", "config.", 1): value for flag, value in values.items()}
    kept, words = [], iter(sys.argv[1:] if any(re.match("--?workdir", word) for word in sys.argv) else ())
    for word in words:
        flag, equals, value = word.lstrip("-").partition("=")
        if flag in flags:
            if not equals:
                next(words, None)  # its value is a word of its own
        elif flag == "config" and Path(value).parent == _CONFIGS:
            kept.append(f"--config={Path(value).stem}")
        else:
            kept.append(word)
    words = [*kept, *(f"--{flag}={value}" for flag, value in flags.items() if value is not None)]
    return f"{command(name)} {shlex.join(words)}"


def program() -> str:
    """Returns what precedes a command: "yolojax" where the console script is running, else "python -m yolojax"."""
    # While a command runs, sys.argv[0] is this and the command's name.
    called = os.path.basename(sys.argv[0]).removesuffix(".exe")
    return "yolojax" if called.split(" ")[0] == "yolojax" else "python -m yolojax"


def as_typed(text: str) -> str:
    """Returns a text in which each "yolojax COMMAND" is replaced by what `command` returns for it."""
    return re.sub(rf"(?<![\w/-])yolojax ({'|'.join(COMMANDS)})\b", lambda match: command(match[1]), text)
