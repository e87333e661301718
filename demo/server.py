"""The demo's server: ``manage.py serve`` as a child that ends with this process."""

from __future__ import annotations

import socket
import time
import urllib.request
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from billing_router.child import run_manage

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

PORT = 8000
_START_SECONDS = 30


def free_port() -> int:
    for port in (PORT, 0):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as found:
            return int(found.getsockname()[1])
    raise SystemExit("There is no free port on this machine.")


@contextmanager
def running_server(port: int) -> Iterator[str]:
    """Run the server inside the block and give its address, once it can decide a charge."""
    address = f"http://127.0.0.1:{port}"
    with run_manage("serve", "--port", str(port)) as server:
        _wait_until_ready(address, server)
        yield address


def _wait_until_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 (loopback)
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(
        "The server did not become ready; its own lines above say why. Is the port free? Choose another: --port"
    )
