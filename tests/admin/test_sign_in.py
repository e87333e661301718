"""Signing in: every attempt is in the audit log, and a password cannot be guessed by trying."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from billing_router import ended_sessions
from routing.access import sign_ins
from routing.access.models import SignIn
from routing.audit.models import AuditEntry

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


@pytest.fixture
def maria():
    return User.objects.create_user("maria", password=PASSWORD, is_staff=True, is_superuser=True)


def sign_in(password: str, *, name: str = "maria", address: str = "203.0.113.9") -> str:
    """Return "in", or what the page says."""
    form = {"username": name, "password": password, "next": "/admin/"}
    response = Client(REMOTE_ADDR=address).post(reverse("admin:login"), form)
    if response.status_code == 302:
        return "in"
    text = response.content.decode()
    return "refused" if sign_ins.REFUSAL in text else "wrong" if "correct username and password" in text else text


def outcomes() -> list[tuple[str, str, str | None]]:
    return list(SignIn.objects.order_by("pk").values_list("outcome", "name", "address"))


def age(minutes: int) -> None:
    from tests.payments.ledger import without_triggers

    with without_triggers():
        for attempt in SignIn.objects.all():
            SignIn.objects.filter(pk=attempt.pk).update(at=attempt.at - sign_ins._WINDOW * minutes / 15)


def test_who_signs_in_fails_and_signs_out_is_in_the_audit_log(maria):
    client = Client(REMOTE_ADDR="203.0.113.9")
    for password in ("wrong", PASSWORD):
        client.post(reverse("admin:login"), {"username": "maria", "password": password, "next": "/admin/"})
    client.post(reverse("admin:logout"))

    logged = AuditEntry.objects.filter(table_name="routing_signin").order_by("at")
    assert [(entry.object_name, entry.actor) for entry in logged] == [
        ("wrong password: maria from 203.0.113.9", "nobody signed in"),
        ("signed in: maria from 203.0.113.9", "maria"),
        ("signed out: maria from 203.0.113.9", "maria"),
    ]
    page = Client()
    page.force_login(maria)
    assert "wrong password: maria" in page.get(reverse("admin:routing_auditentry_changelist")).content.decode()


def test_what_an_unknown_user_types_is_not_kept(maria):
    assert sign_in("wrong", name="my secret password") == "wrong"

    assert outcomes() == [("wrong password", "", "203.0.113.9")]
    assert "my secret password" not in str(list(AuditEntry.objects.values()))


def test_of_60_passwords_10_are_looked_at(maria):
    said = [sign_in(f"guess {number}") for number in range(60)]

    assert said == ["wrong"] * 9 + ["refused"] * 51  # the tenth is wrong too, and the page says what follows
    assert [outcome for outcome, *_ in outcomes()] == ["wrong password"] * 10 + ["refused"]
    assert sign_in(PASSWORD) == "refused"


def test_after_a_quarter_of_an_hour_a_password_is_looked_at_again(maria):
    for number in range(10):
        sign_in(f"guess {number}")
    assert sign_in(PASSWORD) == "refused"

    age(minutes=16)

    assert sign_in(PASSWORD) == "in"


def test_an_attack_from_many_addresses_stops_and_does_not_lock_its_victim_out(maria):
    assert sign_in(PASSWORD, address="203.0.113.9") == "in"

    said = [sign_in("guess", address=f"198.51.100.{number}") for number in range(40)]

    assert said.count("wrong") < sign_ins._MAX_PER_USER + 1
    assert sign_in(PASSWORD, address="198.51.100.200") == "refused"
    assert sign_in(PASSWORD, address="203.0.113.9") == "in"


def test_one_address_does_not_try_every_user(maria):
    users = [User.objects.create_user(f"user{number}", password=PASSWORD) for number in range(10)]
    for user in users:
        for _ in range(6):
            sign_in("guess", name=user.username)

    assert sign_in(PASSWORD) == "refused"
    assert sign_in(PASSWORD, address="198.51.100.1") == "in"


def test_names_that_nobody_has_stop_each_other_and_nobody_else(maria):
    said = [sign_in("guess", name=f"nobody{number}") for number in range(20)]

    assert said.count("refused") > said.count("wrong")
    assert sign_in(PASSWORD) == "in"


def test_a_password_that_is_asked_for_again_is_no_way_around(maria, rf):
    request = rf.post("/", REMOTE_ADDR="203.0.113.9")
    request.user = maria
    for number in range(10):
        assert not sign_ins.is_password_of(request, f"guess {number}")

    with pytest.raises(sign_ins.PermissionDenied, match="15 minutes"):
        sign_ins.is_password_of(request, PASSWORD)


def test_a_name_with_a_nul_is_a_wrong_one(maria):
    assert "maria" not in str(outcomes())
    assert sign_ins._known_name("ma\0ria") == ""


def test_passwords_are_hashed_with_argon2(maria):
    assert maria.password.startswith("argon2$argon2id$")


@pytest.mark.parametrize("password", ["password1234", "qwertyuiop123", "short", "maria-maria-maria"])
def test_a_breached_short_or_obvious_password_is_refused(maria, password):
    with pytest.raises(ValidationError):
        validate_password(password, User(username="maria-maria"))


@pytest.fixture
def clock(monkeypatch):
    """Let the time of sessions be set, in minutes from now."""
    began = ended_sessions.time.time()
    now = [began]
    monkeypatch.setattr(ended_sessions.time, "time", lambda: now[0])

    def pass_minutes(minutes: int) -> None:
        now[0] += 60 * minutes

    return pass_minutes


def page(client: Client) -> int:
    return client.get(reverse("admin:index")).status_code


def test_a_session_ends_twelve_hours_after_signing_in_however_much_it_is_used(clock):
    viewer = User.objects.create_user("viewer", is_staff=True)
    client = Client()
    client.force_login(viewer)
    for _ in range(72):
        clock(10)
        assert page(client) == 200
    clock(1)

    assert page(client) == 302
    assert "more than twelve hours ago" in client.get(reverse("admin:login")).content.decode()


def test_the_session_of_an_approver_ends_when_it_is_idle(clock, maria):
    viewer = User.objects.create_user("viewer", is_staff=True)
    approver, other = Client(), Client()
    approver.force_login(maria)
    other.force_login(viewer)
    for _ in range(3):
        clock(29)
        assert page(approver) == page(other) == 200
    clock(31)

    assert (page(approver), page(other)) == (302, 200)
    assert SignIn.objects.filter(outcome="signed out", name="maria").exists()
