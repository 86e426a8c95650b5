"""The commands: flags in, one library call.

Imported before everything else that takes time, so that Ctrl-C ends a command without a traceback while it loads its libraries,
and is not lost where a library cannot be interrupted.
"""

import os
import signal
import sys
import threading
from types import TracebackType
from typing import Any

_report, _report_ignored = sys.excepthook, sys.unraisablehook


def _report_but_interrupts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _report(kind, error, trace)


def _interrupt_later(ignored: Any) -> None:
    # JAX runs code whenever garbage is collected; an exception in there is printed and forgotten by Python.
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        number = getattr(ignored.exc_value, "number", signal.SIGINT)
        later = threading.Timer(0.05, os.kill, (os.getpid(), number))  # from in here it would be lost again
        later.daemon = True
        later.start()
    else:
        _report_ignored(ignored)


sys.excepthook, sys.unraisablehook = _report_but_interrupts, _interrupt_later
