"""The commands: flags in, one library call.

Imported before everything else that takes time, so that Ctrl-C ends a command without a traceback while it loads its libraries,
and is not lost where a library cannot be interrupted.
"""

import sys
from types import TracebackType
from typing import Any

from yolojax.runtime.ending import send_later, signal_of

_report, _report_ignored = sys.excepthook, sys.unraisablehook


def _report_but_interrupts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _report(kind, error, trace)


def _interrupt_later(ignored: Any) -> None:
    # JAX runs code whenever garbage is collected; an exception in there is printed and forgotten by Python.
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        send_later(signal_of(ignored.exc_value))  # from in here it would be lost again
    else:
        _report_ignored(ignored)


sys.excepthook, sys.unraisablehook = _report_but_interrupts, _interrupt_later
