"""What Vault asks of a Kubernetes cluster when a pod logs in: whether the service account's token is real."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import certifi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.keys.openbao import OpenBao

NAMESPACE = "billing"
ACCOUNT = "router"


class Cluster:
    """Answers TokenReview as an API server does, for the tokens that it has issued."""

    def __init__(self) -> None:
        issued = self._issued = set[str]()

        class ApiServer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                is_real = review["spec"]["token"] in issued
                review["status"] = {"authenticated": is_real} | ({"user": _user()} if is_real else {})
                body = json.dumps(review).encode()
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Cluster]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def issue(self) -> str:
        """Return a token for the pod's service account, shaped as Kubernetes shapes it."""
        claims = {
            "iss": "kubernetes/serviceaccount",
            "sub": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}",
            "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": {"name": ACCOUNT, "uid": "1"}},
            "jti": secrets.token_hex(8),
        }
        parts = (
            json.dumps({"alg": "RS256", "typ": "JWT"}).encode(),
            json.dumps(claims).encode(),
            secrets.token_bytes(256),
        )
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self._issued.add(token)
        return token

    def revoke(self, token: str) -> None:
        self._issued.remove(token)

    def is_trusted_by(self, server: OpenBao, role: str, *, mount: str = "kubernetes") -> None:
        """Let the service account log in to ``server`` as a role that may read secret/data/stripe/*."""
        root = server.root()
        if f"{mount}/" not in root.sys.list_auth_methods()["data"]:
            root.sys.enable_auth_method("kubernetes", path=mount)
        server.allow(role, "secret/data/stripe/*")
        root.adapter.post(
            f"/v1/auth/{mount}/config",
            json={
                "kubernetes_host": f"http://127.0.0.1:{self._server.server_port}",
                "token_reviewer_jwt": "a reviewer",
                "disable_local_ca_jwt": True,
                "kubernetes_ca_cert": certifi.contents(),  # must be given, also for plain http
                "disable_iss_validation": True,
            },
        )
        root.adapter.post(
            f"/v1/auth/{mount}/role/{role}",
            json={
                "bound_service_account_names": [ACCOUNT],
                "bound_service_account_namespaces": [NAMESPACE],
                "token_policies": [role],
            },
        )


def _user() -> dict[str, Any]:
    return {"username": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", "uid": "1", "groups": []}
