"""``python -m sandbox``: the sandbox Stripe alone, until SIGTERM, SIGINT or the end of its parent."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.server import make_server


def main() -> int:
    options = _options()
    try:
        server = make_server(options.host, options.port, options.state)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if options.while_stdin_is_open:
        threading.Thread(target=_watch_stdin, args=(stopping,), daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    name = f"[{host!s}]" if ":" in str(host) else host
    sys.stdout.write(f"Sandbox Stripe (not Stripe) at http://{name!s}:{port}\n")
    sys.stdout.flush()
    stopping.wait()
    server.shutdown()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stateful Stripe look-alike. Not Stripe.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free port")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--state", type=Path, help="a file from which the state survives a restart")
    parser.add_argument("--while-stdin-is-open", action="store_true", help="stop when standard input ends")
    return parser.parse_args()


def _watch_stdin(stopping: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stopping.set()


if __name__ == "__main__":
    raise SystemExit(main())
