"""Executes another program that Linux interrupts when the thread that started it ends.

Run as a script: ``python dies_with_parent.py PARENT_PID UID GID PROGRAM [ARGUMENT …]``. On other systems it only
executes the program. It imports only the standard library, so it starts in a few milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main(parent: int, uid: int, gid: int, command: list[str]) -> None:
    _set_user(uid, gid)
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # a shell's background jobs ignore it, and the program would inherit that
    if sys.platform == "linux":
        die_with(parent, signal.SIGINT)
    os.execv(command[0], command)  # noqa: S606 (the caller's program, without a shell)


def _set_user(uid: int, gid: int) -> None:
    """Change the user, which only root can, before requesting the signal: Linux clears that when the user changes."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def die_with(parent: int, number: signal.Signals) -> None:
    """Have Linux send the signal to this process when the thread that started it ends; ``parent`` is that process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("The process that started this one has already ended.")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
