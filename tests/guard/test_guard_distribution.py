"""The guard and the client are two distributions: each is built, installed and run by itself, as the hook does it."""

import email
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

ROOT = Path(__file__).parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
OFFLINE = ("--isolated", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=cwd, env=inherited | environment, capture_output=True, text=True, timeout=120, check=False
    )


def pip(command: str, *arguments: str | Path, cwd: Path) -> None:
    done = run(sys.executable, "-m", "pip", *shlex.split(command), *OFFLINE, *arguments, cwd=cwd)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build what the hook installs, from a copy, because a build leaves files beside its sources."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    shutil.copy(ROOT / "pyproject.toml", source)
    left_by_tools = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    for package in ("billing_guard", "stripe_billing_router", "routing"):
        shutil.copytree(ROOT / package, source / package, ignore=left_by_tools)
    pip("wheel --no-build-isolation", "--wheel-dir", built, ".", *HOOK["additional_dependencies"], cwd=source)
    return {path.name.partition("-")[0]: path for path in built.iterdir()}


@pytest.fixture(scope="module")
def installed(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Install each wheel into a fresh virtual environment, and return where their programs are."""
    programs = {}
    for name, wheel in wheels.items():
        folder = tmp_path_factory.mktemp(name)
        venv.create(folder, symlinks=True)
        programs[name] = folder / "bin"
        pip(f"--python {folder / 'bin' / 'python'} install", wheel, cwd=folder)
    return programs


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_each_distribution_holds_its_own_package_alone(wheels):
    for name, wheel in wheels.items():
        with ZipFile(wheel) as archive:
            packaged = {path for path in archive.namelist() if ".dist-info/" not in path}

        assert packaged == {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / name).rglob("*")
            if path.suffix == ".py" or path.name == "py.typed"
        }


def test_the_guard_depends_on_nothing_and_the_client_on_its_http_library(wheels):
    guard, client = metadata(wheels["billing_guard"]), metadata(wheels["stripe_billing_router"])

    assert (guard["Name"], guard.get_all("Requires-Dist")) == ("billing-guard", None)
    assert (client["Name"], client.get_all("Requires-Dist")) == ("stripe-billing-router", ["httpx2"])
    assert (guard["License-Expression"], guard["Requires-Python"]) == ("MIT", ">=3.11")


def test_the_installed_guard_runs_where_nothing_else_is_installed(installed, code_base):
    folder = code_base({"a.py": "import stripe\n"})

    done = run(installed["billing_guard"] / "python", "-m", "billing_guard", ".", cwd=folder)

    assert done.stdout.startswith("a.py:1:1: BG201 ")
    assert (done.returncode, done.stderr) == (1, "1 finding in 1 file.\n")


def test_the_installed_client_is_imported(installed, tmp_path):
    code = "import stripe_billing_router; print(stripe_billing_router.__file__)"
    httpx2 = sysconfig.get_path("purelib")  # the client's dependency, which cannot be fetched without a network

    done = run(installed["stripe_billing_router"] / "python", "-c", code, cwd=tmp_path, PYTHONPATH=httpx2)

    assert Path(done.stdout).is_relative_to(installed["stripe_billing_router"].parent), done.stderr


def test_the_hook_reads_the_code_of_a_repository_and_runs_none_of_it(installed, code_base):
    taken = "raise SystemExit('This ran.')\n"
    folder = code_base({"json.py": taken, "billing_guard/__init__.py": taken, "a.py": "import stripe\n"})
    path = f"{installed['billing_guard']}{os.pathsep}{os.environ['PATH']}"

    done = run("/usr/bin/env", *shlex.split(HOOK["entry"]), "a.py", "json.py", cwd=folder, PATH=path)

    assert done.stdout.startswith("a.py:1:1: BG201 ")
    assert done.stderr == "1 finding in 2 files.\n"
