"""Becomes another program that Linux interrupts when the thread that started it ends.

Run as a script: ``python dies_with_parent.py PARENT_PID UID GID PROGRAM [ARGUMENT …]``. On other systems it only
becomes the program. It imports the standard library alone, so that it starts in a few milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main(parent: int, uid: int, gid: int, command: list[str]) -> None:
    _become(uid, gid)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it, and would hand that on
    if sys.platform == "linux":
        die_with(parent, signal.SIGINT)
    os.execv(command[0], command)  # noqa: S606 (the caller's program, without a shell)


def _become(uid: int, gid: int) -> None:
    """Change the user, as root alone can, before the signal is asked for: Linux forgets it when the user changes."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def die_with(parent: int, number: signal.Signals) -> None:
    """Have Linux send the signal to this process when the thread that started it ends; ``parent`` is its process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("The process that started this one ended before Linux could watch it.")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
