"""A child process of our own program, which never outlives this one."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing_router import dies_with_parent
from billing_router.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOP_SECONDS = 15


@contextmanager
def managed(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``manage.py`` with the arguments beside this process, and end it with the block."""
    parent = [str(os.getpid()), str(os.getuid()), str(os.getgid())]
    command = [sys.executable, dies_with_parent.__file__, *parent, sys.executable, str(ROOT / "manage.py"), *arguments]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as child:  # noqa: S603 (our own program)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
