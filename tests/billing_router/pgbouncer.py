"""A real PgBouncer in transaction mode before the test database, with fewer connections than it has clients."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from tests.billing_router.servers import does_answer, eventually
from tests.keys.openbao import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")

CONNECTIONS = 3
"""To the server, for all clients together."""

_NOBODY = 65534

_CONFIGURATION = """
[databases]
{dbname} = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 300
"""


@dataclass(slots=True)
class PgBouncer:
    """``url`` names the same database as ``server`` does. Started again after it was killed, it listens there again."""

    folder: Path
    server: str
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        given = conninfo_to_dict(self.server)
        return f"postgresql://{given['user']}@127.0.0.1:{self.port}/{given['dbname']}"

    def start(self) -> None:
        assert PROGRAM is not None
        with (self.folder / "pgbouncer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, os.fspath(self._configured())], stdout=log, stderr=log, **self._account()
            )
        assert eventually(lambda: does_answer(self.url)), (self.folder / "pgbouncer.log").read_text()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _configured(self) -> Path:
        given = conninfo_to_dict(self.server)
        server = " ".join(f"{name}='{value}'" for name, value in given.items())
        listening = {"listen_port": self.port, "connections": CONNECTIONS}
        file = self.folder / "pgbouncer.ini"
        file.write_text(_CONFIGURATION.format(dbname=given["dbname"], server=server, **listening))
        return file

    def _account(self) -> dict[str, Any]:
        """Return who it runs as where this is root, whom it refuses: the one whom the embedded server lets in."""
        if os.geteuid() != 0:
            return {}
        host = str(conninfo_to_dict(self.server).get("host", ""))
        owner = Path(host).stat().st_uid if host.startswith("/") else 0
        return {"user": owner or _NOBODY, "group": owner or _NOBODY, "extra_groups": ()}


@contextmanager
def running_pgbouncer(server: str) -> Iterator[PgBouncer]:
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        Path(folder).chmod(0o755)
        pgbouncer = PgBouncer(Path(folder), server)
        try:
            pgbouncer.start()
            yield pgbouncer
        finally:
            pgbouncer.kill()
