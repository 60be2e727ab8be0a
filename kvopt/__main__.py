"""``python -m kvopt`` is the same as ``kvopt``.

A signal that comes while the rest is still being imported ends it with a line, too.
"""

import os
import signal
import sys
import threading
from types import FrameType


def end(number: int, frame: FrameType | None) -> None:
    """End the process, which has nothing to lose yet."""
    os.write(2, b"kvopt: terminated\n" if number == signal.SIGTERM else b"kvopt: interrupted\n")
    os._exit(128 + number)


def main() -> int:
    """Run the command line."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
    from kvopt.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
