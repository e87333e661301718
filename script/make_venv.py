"""Makes .venv, or makes it anew, and installs the pinned requirements: make_venv.py REQUIREMENTS_FILE."""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

MADE_AT = VENV / "made-at"
"""Holds the checkout's path: a virtual environment that was moved or copied does not hold together."""

UNFINISHED = VENV / "unfinished"
"""There while pip works: what a kill left half installed, pip may take for whole."""

INCLUDES = {"requirements-dev.txt": ["requirements-sandbox.txt"]}
"""The larger file is locked from the smaller one's requirements too, so it installs all that the smaller one names."""

_IS_USABLE = "import pip, sys; sys.exit(sys.version_info < (3, 11))"


def main(requirements: str) -> None:
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_usable() and is_installed(requirements):
            return  # by another run, while this one waited
        sys.stderr.write(f"Installing {requirements} into .venv; a first time takes about a minute ...\n")
        if not is_usable():
            shutil.rmtree(VENV, ignore_errors=True)
            run(lock.fileno(), sys.executable, "-m", "venv", os.fspath(VENV))
        install(lock.fileno(), requirements)


def is_usable() -> bool:
    if UNFINISHED.exists() or (MADE_AT.exists() and MADE_AT.read_text() != os.fspath(ROOT)):
        return False
    try:
        asked = subprocess.run([PYTHON, "-I", "-c", _IS_USABLE], capture_output=True, check=False)  # noqa: S603 (fixed words)
    except OSError:
        return False
    return asked.returncode == 0


def is_installed(requirements: str) -> bool:
    stamp = stamp_of(requirements)
    return stamp.exists() and filecmp.cmp(ROOT / requirements, stamp, shallow=False)


def stamp_of(requirements: str) -> Path:
    """Name the copy of the requirements file as it was when it was last installed."""
    return VENV / f"installed-{requirements}"


def install(lock: int, requirements: str) -> None:
    UNFINISHED.touch()
    for stamp in VENV.glob("installed-*"):
        stamp.unlink()
    before = [(name, (ROOT / name).read_bytes()) for name in (requirements, *INCLUDES.get(requirements, []))]
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes")
    run(lock, os.fspath(PYTHON), "-I", "-m", "pip", "install", *options, "-r", requirements)
    MADE_AT.write_text(os.fspath(ROOT))
    UNFINISHED.unlink()
    for name, content in before:
        stamp_of(name).write_bytes(content)


def run(lock: int, *command: str) -> None:
    """Run quietly; the child holds the lock too, so that it is free only when a killed run's child has ended."""
    done = subprocess.run(  # noqa: S603 (the project's own commands, without a shell)
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(lock,),
        check=False,
    )
    if done.returncode > 0:
        UNFINISHED.unlink(missing_ok=True)  # it gave up by itself, as without a network, and left no package half there
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        sys.exit(f"This failed, so .venv is not complete; the next run starts it again: {' '.join(command)}")


if __name__ == "__main__":
    main(sys.argv[1])
