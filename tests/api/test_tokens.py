"""Bot tokens: what they allow, from where, and until when."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client

from routing.access import tokens
from routing.access.models import BotToken, Scope, TokenUse
from routing.audit.models import AuditEntry
from routing.errors import InvalidRequest
from routing.registry.models import Category

BOT = "stripe:finance:finance_router_bot"
ADDRESS = "203.0.113.9"

pytestmark = pytest.mark.django_db(transaction=True)


def listed(token: str, address: str = ADDRESS) -> Any:
    return Client(REMOTE_ADDR=address).get("/api/v1/charges", headers={"Authorization": f"Bearer {token}"})


def charged(token: str) -> Any:
    body = {"bot": BOT, "amount": "10"}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "order-1"}
    return Client(REMOTE_ADDR=ADDRESS).post("/api/v1/charges", body, "application/json", headers=headers)


def command(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue().strip()


def test_a_token_lives_for_90_days_unless_another_time_is_asked_for(bot):
    command("issue_token", "usual", "--bot", BOT)
    command("issue_token", "short", "--bot", BOT, days=1)
    command("issue_token", "endless", "--bot", BOT, days=0)

    lives = {token.name: token.expires_at and token.expires_at - token.created_at for token in BotToken.objects.all()}
    assert abs(lives["usual"] - timedelta(days=90)) < timedelta(minutes=1)
    assert abs(lives["short"] - timedelta(days=1)) < timedelta(minutes=1)
    assert lives["endless"] is None
    with pytest.raises(CommandError, match="cannot be negative"):
        command("issue_token", "wrong", "--bot", BOT, days=-1)


def test_a_token_that_has_expired_is_refused_with_the_remedy(bot, stripe):
    token = tokens.issue("invoicing", [BOT], Scope.values)
    assert listed(token).status_code == 200
    BotToken.objects.update(expires_at=F("created_at"))

    for response in (listed(token), charged(token)):
        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
        assert "manage.py rotate_token" in response.json()["detail"]
    assert stripe.requests("POST") == []


def test_a_token_that_expires_while_its_charge_is_decided_charges_nothing(bot, stripe, monkeypatch):
    token = tokens.issue("invoicing", [BOT], Scope.values)
    authenticate = tokens.authenticate

    def then_expire(*given: Any) -> tokens.Grant:
        grant = authenticate(*given)
        BotToken.objects.update(expires_at=F("created_at"))
        return grant

    monkeypatch.setattr(tokens, "authenticate", then_expire)

    assert charged(token).status_code == 401
    assert stripe.requests("POST", "/v1/payment_intents") == []


def test_a_token_is_replaced_while_both_are_valid(bot):
    old = command("issue_token", "invoicing", "--bot", BOT, "--scope", "read", network=["203.0.113.0/24"])

    new = command("rotate_token", old, overlap=2)

    assert new != old
    assert [listed(token).status_code for token in (old, new)] == [200, 200]
    assert listed(new, "198.51.100.1").status_code == 401
    ends = BotToken.objects.get(prefix=old[4:16]).expires_at - BotToken.objects.get(prefix=new[4:16]).created_at
    assert abs(ends - timedelta(days=2)) < timedelta(minutes=1)
    command("rotate_token", old, overlap=30)
    assert BotToken.objects.get(prefix=old[4:16]).expires_at < BotToken.objects.get(prefix=new[4:16]).expires_at
    command("revoke_token", old)
    with pytest.raises(CommandError, match="is revoked"):
        command("rotate_token", old)


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        ([], "198.51.100.1", 200),
        (["203.0.113.0/24"], "203.0.113.77", 200),
        (["203.0.113.0/24", "2001:db8::/32"], "2001:db8::1", 200),
        (["203.0.113.0/24"], "198.51.100.1", 401),
        (["203.0.113.0/24"], "2001:db8::1", 401),
        (["203.0.113.9"], "203.0.113.8", 401),
        (["203.0.113.0/24"], "", 401),
    ],
)
def test_a_token_can_be_for_some_networks_alone(bot, networks, address, status):
    token = tokens.issue("invoicing", [BOT], ["read"], restrictions=tokens.Restrictions(networks=networks))

    assert listed(token, address).status_code == status


def test_what_is_no_network_is_refused():
    with pytest.raises(InvalidRequest, match=r"'10.0.0' is no network\. Give an address"):
        tokens.issue("invoicing", [BOT], ["read"], restrictions=tokens.Restrictions(networks=["10.0.0"]))


def test_no_token_registers_routes_for_every_bot(bot):
    with pytest.raises(InvalidRequest, match="cannot have the scope routes:write"):
        tokens.issue("registrar", ["*"], ["routes:write"])
    assert "routes:write" not in tokens.authenticate(command("issue_token", "all", "--bot", "*", scope=["all"])).scopes

    older = tokens.issue("registrar", ["*"], ["read"])
    BotToken.objects.filter(prefix=older[4:16]).update(scopes=["read", "routes:write"])
    response = Client().put("/api/v1/routes", {}, "application/json", headers={"Authorization": f"Bearer {older}"})
    assert response.status_code == 403


def test_a_network_that_is_new_is_in_the_audit_log_and_a_use_is_noted_once_an_hour(bot):
    token = tokens.issue("invoicing", [BOT], ["read"])
    for address in (ADDRESS, "203.0.113.10", "198.51.100.1", ADDRESS):
        assert listed(token, address).status_code == 200

    noted = TokenUse.objects.get()
    assert noted.networks == ["203.0.113.0/24", "198.51.100.0/24"]
    entries = AuditEntry.objects.filter(table_name="routing_tokenuse")
    assert {(entry.actor, entry.object_name) for entry in entries} == {
        (f"token invoicing ({token[4:16]}…)", f"invoicing ({token[4:16]}…)")
    }
    assert [entry.after["networks"] for entry in entries.order_by("at")] == [noted.networks[:1], noted.networks]
    listed(token)
    assert TokenUse.objects.get().at == noted.at
    TokenUse.objects.update(at=noted.at - timedelta(hours=2))
    listed(token)
    assert TokenUse.objects.get().at > noted.at


def test_at_most_a_hundred_networks_are_kept(bot):
    token = tokens.issue("invoicing", [BOT], ["read"])
    for number in range(103):
        tokens.authenticate(token, f"10.0.{number}.1")

    assert len(TokenUse.objects.get().networks) == 100


def test_a_call_goes_on_where_its_use_cannot_be_noted(bot, monkeypatch):
    token = tokens.issue("invoicing", [BOT], ["read"])
    monkeypatch.setattr(tokens, "_NOTE_USE", "SELECT 1 / 0, %(networks)s, %(max)s, %(token)s")

    assert listed(token).status_code == 200


def test_the_admin_shows_how_long_a_token_lives_and_where_it_was_used(bot, admin_client):
    for name, days in (("soon", 3), ("later", 60)):
        tokens.issue(name, [BOT], ["read"], lifetime=timedelta(days=days))
    tokens.issue("endless", [BOT], ["read"], lifetime=None)
    past = tokens.issue("past", [BOT], ["read"])
    listed(past)
    BotToken.objects.filter(name="past").update(expires_at=F("created_at"))

    page = admin_client.get("/admin/routing/bottoken/").content.decode()
    for words in ("Expires in 2 days", "Active, never expires", "Expired", ">Active<"):
        assert words in page
    shown = admin_client.get(f"/admin/routing/bottoken/{BotToken.objects.get(name='past').pk}/change/").content.decode()
    assert "203.0.113.0/24" in shown


def test_a_token_names_a_category_or_a_domain(bot, stripe):
    Category.objects.create(slug="sales")
    command("issue_token", "category", "--bot", "finance:*", "--scope", "charge,read")
    by = {
        name: tokens.issue(name, [pattern], ["charge", "read"])
        for name, pattern in (("category", "finance:*"), ("domain", "stripe:*:*"), ("another", "sales:*"))
    }

    assert BotToken.objects.get(prefix__in=[by["another"][4:16]]).bots == ["stripe:sales:*"]
    assert charged(by["category"]).status_code == 201
    for name in ("category", "domain"):
        assert [payment["bot"] for payment in listed(by[name]).json()["results"]] == [BOT], name
        rules = Client(REMOTE_ADDR=ADDRESS).get("/api/v1/routes", headers={"Authorization": f"Bearer {by[name]}"})
        assert {rule["bot_name"] for rule in rules.json()["results"]} == {"finance_router_bot"}, name
    assert charged(by["another"]).status_code == 403
    assert listed(by["another"]).json()["results"] == []


@pytest.mark.parametrize("pattern", ["finance:*", "stripe:*:*", "*"])
def test_no_token_registers_routes_for_bots_that_nobody_has_listed(pattern):
    with pytest.raises(InvalidRequest, match="Name the bots"):
        tokens.issue("all", [pattern], ["routes:write"])


@pytest.mark.parametrize("pattern", ["fin*:bot", "stripe:*:bot", "*:bot", "*:*:*", "stripe:*", "**", ":*", "sales:*"])
def test_what_names_no_bot_category_or_domain_is_refused(bot, pattern):
    if pattern == "stripe:*":
        assert command("issue_token", "t", "--bot", "finance:*")
    with pytest.raises(CommandError):
        command("issue_token", "wrong", "--bot", pattern)
    assert not BotToken.objects.filter(name="wrong").exists()


def test_a_token_names_only_the_qualifiers_that_it_allows(bot, stripe):
    bodies = {
        "charges": {"bot": BOT, "amount": "10"},
        "customers": {"bot": BOT},
        "subscriptions": {"bot": BOT},
        "checkout-sessions": {"bot": BOT, "success_url": "https://example.com"},
    }
    command("issue_token", "none", "--bot", BOT, "--qualifier", "none", "--scope", "all")
    some = tokens.issue("some", [BOT], Scope.values, restrictions=tokens.Restrictions(qualifiers=["region=eu"]))
    every = tokens.issue("every", [BOT], Scope.values)

    for path, body in bodies.items():
        answers = [
            Client().post(
                f"/api/v1/{path}",
                body | {"overrides": {"business": "enterprise"}},
                "application/json",
                headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"{path}-{token[:16]}"},
            )
            for token in (some, every)
        ]
        assert [answer.status_code for answer in answers] != [403, 403], path
        assert (answers[0].status_code, answers[0].json()["code"]) == (403, "not_permitted"), path
        assert "'business=enterprise'; it allows: region=eu" in answers[0].json()["detail"]
    assert BotToken.objects.get(name="none").qualifiers == []
    assert BotToken.objects.get(name="every").qualifiers == ["*"]
    assert charged(some).status_code == 201


@pytest.mark.parametrize("qualifier", ["enterprise", "=eu", "region=", "k" * 65 + "=v"])
def test_what_is_no_qualifier_is_refused(qualifier):
    with pytest.raises(InvalidRequest, match="is no qualifier"):
        tokens.issue("wrong", [BOT], ["charge"], restrictions=tokens.Restrictions(qualifiers=[qualifier]))


def test_a_rotated_token_may_do_the_same(bot):
    limits = tokens.Restrictions(["10.0.0.0/24"], ["region=eu"])
    tokens.issue("first", [BOT], ["charge"], restrictions=limits)

    tokens.rotate(BotToken.objects.get())

    first, second = BotToken.objects.values("name", "bots", "scopes", "networks", "qualifiers")
    assert first == second
