"""The secrets that a sandbox generates once per checkout, so that its tokens survive a restart."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from billing_router.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def sandbox_secret(name: str) -> str:
    path = ROOT / "var" / f"sandbox-{name}.secret"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        _create(path)
    return path.read_text()


def _create(path: Path) -> None:
    """Write the whole file, then link it, so that a process that starts at the same time never reads half of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
