"""How a command ends: by a signal, with what it had begun finished or removed, and although a library's threads do not end."""

import os
import signal
import threading
import time
from importlib.machinery import ExtensionFileLoader
from types import FrameType

SECONDS_TO_END = 5.0
SECONDS_LATER = 0.05
HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""The signal of a terminal that is closed; None where the system has none."""


class Terminated(KeyboardInterrupt):
    """A command was asked to end by SIGTERM or SIGHUP. What Ctrl-C finishes or removes, these do too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def interrupt_at_signals() -> None:
    """Has SIGTERM and SIGHUP raise `Terminated` in the main thread, where they would end the process without a clean-up.

    These and Ctrl-C wait while a library's machine code is loaded: JAX's ends the process by SIGSEGV or SIGABRT if an
    exception is raised in there. A signal that is ignored, as by nohup, or handled by the program itself stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM, HANGUP):
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)


def send_later(number: int) -> None:
    """Sends a signal to this process in a moment, where an exception that is raised now would be lost or end it."""
    later = threading.Timer(SECONDS_LATER, os.kill, (os.getpid(), number))
    later.daemon = True
    later.start()


def signal_of(interrupt: BaseException | None) -> int:
    """The number of the signal that has raised an interrupt."""
    return interrupt.number if isinstance(interrupt, Terminated) else signal.SIGINT


def status_after(interrupt: KeyboardInterrupt) -> int:
    """The exit status of a command that was interrupted: 128 and the signal's number, 130 after Ctrl-C."""
    return 128 + signal_of(interrupt)


def end_interrupted(interrupt: KeyboardInterrupt) -> int:
    """Sees to it that a command that was interrupted ends (`end_anyway`); returns its exit status."""
    status = status_after(interrupt)
    end_anyway(status)
    return status


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _loads_machine_code(frame):
        send_later(number)
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        raise Terminated(number)


def _loads_machine_code(frame: FrameType | None) -> bool:
    """Whether a frame, or one that has called it, is Python's loader of a compiled module."""
    while frame and not isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
        frame = frame.f_back
    return frame is not None


def end_anyway(status: int, seconds: float = SECONDS_TO_END) -> None:
    """Ends the process a few seconds after its main thread has ended, even if other threads go on.

    For a run that has failed or was interrupted: a library's thread may wait for a file that will never be written, and Python
    waits for it.
    Threads that end in time are not disturbed, and neither is a program that goes on after the failure.

    Args:
        status: the exit status of a process that has to be ended.
        seconds: how long the other threads have.
    """

    def end() -> None:
        threading.main_thread().join()
        time.sleep(seconds)
        if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
            os._exit(status)

    threading.Thread(target=end, name="end-anyway", daemon=True).start()
