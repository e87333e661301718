"""Child processes of our own program, which never outlive this one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing_router import dies_with_parent
from billing_router.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOP_SECONDS = 15
_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 3

logger = logging.getLogger(__name__)


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


@contextmanager
def kept_running(*arguments: str) -> Iterator[None]:
    """Run ``manage.py`` beside this process, and again whenever it has ended, until the block ends.

    The block begins when the first child runs: a fork in the block, such as a server's of its workers, would otherwise
    keep the pipe open on which the start of the child is waited for.
    """
    runs, is_over = threading.Event(), threading.Event()
    keeper = threading.Thread(target=_keep_running, args=(arguments, runs, is_over), name=f"keeper of {arguments[0]}")
    keeper.start()
    runs.wait(_STOP_SECONDS)
    try:
        yield
    finally:
        is_over.set()
        keeper.join()


def _keep_running(arguments: tuple[str, ...], runs: threading.Event, is_over: threading.Event) -> None:
    while not is_over.is_set():
        with managed(*arguments) as child:
            runs.set()
            while child.poll() is None and not is_over.is_set():
                is_over.wait(_LOOK_SECONDS)
        if not is_over.wait(_PAUSE_SECONDS):
            logger.error("'manage.py %s' ended by itself and is started again.", " ".join(arguments))
