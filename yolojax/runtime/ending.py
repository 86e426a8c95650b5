"""An end for a process whose threads do not end."""

import os
import threading
import time

SECONDS_TO_END = 5.0


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
