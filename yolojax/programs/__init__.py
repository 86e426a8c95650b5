"""The commands: flags in, one library call.

Imported before everything else that takes time, so that Ctrl-C while a command loads its libraries prints no traceback.
"""

import sys
from types import TracebackType

_report = sys.excepthook


def _report_but_interrupts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _report(kind, error, trace)


sys.excepthook = _report_but_interrupts
