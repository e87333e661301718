"""A sandbox of one's own, as a child process that ends with the block, or with this process however it ends."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT = Path(__file__).parents[1]
_PATIENCE = 10  # seconds that an orderly stop may take


@contextmanager
def running_sandbox(*, port: int = 0, state: Path | None = None) -> Iterator[str]:
    """Run ``python -m sandbox`` and give its address, for example ``http://127.0.0.1:40123``."""
    with sandbox_process(port=port, state=state) as (address, _):
        yield address


@contextmanager
def sandbox_process(*, port: int = 0, state: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``python -m sandbox`` and give its address and the process, for those who mean to kill it.

    The child watches its standard input: the kernel closes that pipe when this process dies, even of SIGKILL.
    """
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--while-stdin-is-open"]
    if state is not None:
        command += ["--state", str(state.resolve())]
    with subprocess.Popen(  # noqa: S603 (our own module)
        command, cwd=_PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield _address(process), process
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if " at http://" not in line:
        raise RuntimeError(f"The sandbox did not start (exit {process.wait(_PATIENCE)}); its own output says why.")
    return line.rpartition(" at ")[2].strip()
