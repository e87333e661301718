"""Runs manage.py in child processes, which never outlive this one."""

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
_POLL_SECONDS = 0.5
_RESTART_SECONDS = 3

logger = logging.getLogger(__name__)


@contextmanager
def run_manage(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``manage.py`` with the arguments while the block runs."""
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
def keep_running(*arguments: str) -> Iterator[None]:
    """Run ``manage.py`` while the block runs, and restart it whenever it exits.

    The block starts once the first child runs: if the block forks, as a server does for its workers, the fork would
    otherwise inherit the pipe that is read until the child has started, and keep it open.
    """
    started, stopped = threading.Event(), threading.Event()
    supervisor = threading.Thread(target=_supervise, args=(arguments, started, stopped), name=f"run {arguments[0]}")
    supervisor.start()
    started.wait(_STOP_SECONDS)
    try:
        yield
    finally:
        stopped.set()
        supervisor.join()


def _supervise(arguments: tuple[str, ...], started: threading.Event, stopped: threading.Event) -> None:
    while not stopped.is_set():
        with run_manage(*arguments) as child:
            started.set()
            while child.poll() is None and not stopped.is_set():
                stopped.wait(_POLL_SECONDS)
        if not stopped.wait(_RESTART_SECONDS):
            logger.error("'manage.py %s' exited and is restarted.", " ".join(arguments))
