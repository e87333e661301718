"""The tests catch the mistakes that they are there for: each mutant of the product fails the test named with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.payments.faults.scenarios import Scenario

_ROOT = Path(__file__).resolve().parents[3]
_FOLDERS = ("billing_router", "config", "routing", "sandbox", "stripe_billing_router", "templates", "tests")
_PAYMENTS = "routing/payments"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces ``old``, which must be in the file once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake in the product; ``caught_by`` is the test that must fail because of it."""

    name: str
    caught_by: str
    edits: tuple[Edit, ...]

    def __str__(self) -> str:
        return self.name.replace(" ", "_")


def _at(scenario: Scenario) -> str:
    return f"test_matrix.py::test_a_charge_is_made_once_and_its_outcome_known_whatever_fails[{scenario}]"


_OUTCOMES, _RECOVERY = f"{_PAYMENTS}/stripe_api/outcomes.py", f"{_PAYMENTS}/settlement/recovery.py"

CHEAP = [
    Mutant(
        "a lost response is a rejection",
        _at(Scenario("amount", 0, "reset after", "none", "at once")),
        (
            Edit(
                _OUTCOMES,
                "        case _:\n            return Status.UNKNOWN\n",
                "        case _:\n            return Status.UNKNOWN if response.http_status else Status.REJECTED\n",
            ),
        ),
    ),
    Mutant(
        "the idempotency key at Stripe is random",
        _at(Scenario("amount", 0, "reset after", "none", "at once")),
        (
            Edit(
                f"{_PAYMENTS}/stripe_api/requests.py", 'f"billing-router-{payment}-{step}"', 'f"{uuid.uuid4()}-{step}"'
            ),
        ),
    ),
]

OTHERS = [
    Mutant(
        "a payment that is not found was never made",
        _at(Scenario("amount", 0, "late", "in the call", "at once")),
        (
            Edit(
                _RECOVERY,
                "if claimed.now - payment.created_at < statements.RESEND_WITHIN and not reason:",
                "if False:",
            ),
            Edit(_RECOVERY, "if claimed.now - (payment.sent_at or payment.created_at) < SEARCH_AFTER:", "if False:"),
            Edit(_RECOVERY, "len(searches) >= SEARCHES_NEEDED and apart >= SEARCHES_APART", "apart is not None"),
        ),
    ),
    Mutant(
        "a 429 to a resend is a rejection",
        _at(Scenario("amount", 0, "reset after, then 429", "none", "at once")),
        (
            Edit(
                _OUTCOMES,
                "        return Status.UNKNOWN if is_resend else Status.RECEIVED\n    match",
                "        return Status.REJECTED if is_resend else Status.RECEIVED\n    match",
            ),
        ),
    ),
    Mutant(
        "a database connection is held while Stripe is called",
        "test_concurrent_senders.py::test_no_connection_is_held_while_stripe_is_called[amount]",
        (
            Edit(
                f"{_PAYMENTS}/execution/exactly_once.py",
                "    settlement = sending.send(leased.payment, keys, send_before=leased.send_before)\n    if",
                "    with postgres.connection():\n"
                "        settlement = sending.send(leased.payment, keys, send_before=leased.send_before)\n    if",
            ),
        ),
    ),
    Mutant(
        "the connection of an earlier read is held while Stripe is called",
        "test_concurrent_senders.py::test_no_connection_is_held_while_stripe_is_called[refund]",
        (Edit(f"{_PAYMENTS}/execution/exactly_once.py", "    postgres.release_django_connection()\n", ""),),
    ),
    Mutant(
        "a received payment is sent after a day",
        _at(Scenario("price", 2, "429", "none", "25 h later")),
        (
            Edit(
                f"{_PAYMENTS}/ledger/statements.py",
                "AND created_at > clock_timestamp() - make_interval(secs => %(kept_seconds)s)\nRETURNING",
                "AND %(kept_seconds)s > 0\nRETURNING",
            ),
            Edit(
                f"{_PAYMENTS}/ledger/statements.py",
                "AND created_at > clock_timestamp() - make_interval(secs => %(kept_seconds)s) AS is_sendable",
                "AND %(kept_seconds)s > 0 AS is_sendable",
            ),
        ),
    ),
    Mutant(
        "calls are resent when Stripe has forgotten their keys",
        _at(Scenario("amount", 0, "reset after", "none", "25 h later")),
        (
            Edit(
                f"{_PAYMENTS}/ledger/statements.py",
                "RESEND_WITHIN = timedelta(hours=23)",
                "RESEND_WITHIN = timedelta(days=23)",
            ),
        ),
    ),
    Mutant(
        "a suspended sender sends after its lease",
        "test_concurrent_senders.py::test_a_sender_that_resumes_when_its_payment_was_canceled_sends_nothing[leased]",
        (Edit(f"{_PAYMENTS}/stripe_api/gateway.py", "if time.monotonic() > send_before:", "if False:"),),
    ),
    Mutant(
        "a sender looks for no stop",
        "test_stops.py::test_a_sender_that_lives_begins_no_call_after_a_stop[amount-0-all billing is paused]",
        (Edit(f"{_PAYMENTS}/execution/sending.py", "if reason := reason_not_to_go_on(payment):", 'if reason := "":'),),
    ),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the product and its tests, to be mutated there."""
    copy = tmp_path_factory.mktemp("mutants")
    for folder in _FOLDERS:
        shutil.copytree(_ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("manage.py", "pyproject.toml"):
        shutil.copy(_ROOT / file, copy)
    return copy


@pytest.mark.parametrize("mutant", CHEAP + OTHERS, ids=str)
def test_a_mutant_is_of_the_present_code(mutant):
    assert [(_ROOT / edit.file).read_text().count(edit.old) for edit in mutant.edits] == [1] * len(mutant.edits)


@pytest.mark.parametrize("mutant", CHEAP, ids=str)
def test_a_mutant_is_caught(mutant, copy, administrator_url):
    assert_caught(mutant, copy, administrator_url)


@pytest.mark.exhaustive
@pytest.mark.parametrize("mutant", OTHERS, ids=str)
def test_each_further_mutant_is_caught(mutant, copy, administrator_url):
    assert_caught(mutant, copy, administrator_url)


def assert_caught(mutant: Mutant, copy: Path, administrator_url: str) -> None:
    try:
        for edit in mutant.edits:
            mutate(copy / edit.file, edit)
        run = run_test(mutant.caught_by, copy, administrator_url)
    finally:
        for edit in mutant.edits:
            shutil.copy(_ROOT / edit.file, copy / edit.file)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert "AssertionError" in run.stdout


def mutate(file: Path, edit: Edit) -> None:
    text = file.read_text()
    assert text.count(edit.old) == 1, f"{edit.file} must have this text once to be mutated:\n{edit.old}"
    file.write_text(text.replace(edit.old, edit.new))


def run_test(test: str, copy: Path, administrator_url: str) -> subprocess.CompletedProcess[str]:
    """Run a test in the copy of the product, on the test database of this process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["DATABASE_URL"] = administrator_url.replace("/test_", "/")  # pytest-django adds the prefix again
    options = ("--exhaustive", "--reuse-db", "-q", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", f"tests/payments/faults/{test}", *options],
        cwd=copy,
        env={**environment, "PYTHONPATH": os.fspath(copy)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
