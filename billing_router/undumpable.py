"""Keeps a process's memory from others of its user: no core dump, no debugger, no ``/proc/PID/environ``.

https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html. Root can still read all of it.
"""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4
"""From linux/prctl.h."""


def make_undumpable() -> None:
    """Do so for this process, and for what it forks; a program that it executes must do so itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)
