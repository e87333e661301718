"""Nobody gives more than he has, makes himself superuser, or acts as somebody who may do more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from routing.access.tokens import issue

pytestmark = pytest.mark.django_db

OWN = ("change_user", "view_user", "add_user", "delete_user", "view_group", "change_group", "add_group", "view_payment")


@pytest.fixture
def token_admin() -> User:
    user = User.objects.create_user("ann", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=OWN))
    return user


@pytest.fixture
def client(token_admin) -> Client:
    client = Client()
    client.force_login(token_admin)
    return client


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def save(client: Client, user: User, **fields: Any) -> Any:
    form = {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-11-27",
        "date_joined_1": "12:00",
        "user_permissions": [each.pk for each in user.user_permissions.all()],
        **fields,
    }
    return client.post(reverse("admin:auth_user_change", args=[user.pk]), form)


def test_nobody_makes_himself_superuser(client, token_admin):
    save(client, token_admin, is_superuser="on")

    assert not User.objects.get(pk=token_admin.pk).is_superuser


def test_not_even_a_superuser_makes_another_one_here(finance):
    colleague = User.objects.create_user("colleague", is_staff=True)

    assert save(finance, colleague, is_superuser="on").status_code == 302
    assert not User.objects.get(pk=colleague.pk).is_superuser


@pytest.mark.parametrize("how", ["permission", "group"])
def test_nobody_gives_more_than_he_has(client, token_admin, how):
    colleague = User.objects.create_user("colleague")
    group = Group.objects.create(name="approvers")
    group.permissions.add(permission("approve_change"))
    more = {"user_permissions": [permission("approve_change").pk]} if how == "permission" else {"groups": [group.pk]}

    for user in (colleague, token_admin):
        page = save(client, user, **more).content.decode()
        assert "You cannot give what you may not do yourself" in page
        assert not User.objects.get(pk=user.pk).has_perm("routing.approve_change")


def test_a_group_gets_no_more_either(client):
    for address in (
        reverse("admin:auth_group_add"),
        reverse("admin:auth_group_change", args=[Group.objects.create(name="viewers").pk]),
    ):
        page = client.post(address, {"name": "approvers", "permissions": [permission("approve_change").pk]})
        assert "You cannot give what you may not do yourself" in page.content.decode()
    assert not Group.objects.filter(name__in=["approvers", "viewers"], permissions__codename="approve_change").exists()


def test_what_he_has_he_gives_and_what_somebody_had_stays(client):
    colleague = User.objects.create_user("colleague")

    save(client, colleague, user_permissions=[permission("view_payment").pk])

    assert User.objects.get(pk=colleague.pk).has_perm("routing.view_payment")


@pytest.mark.parametrize("name", ["change", "password_change", "delete"])
def test_whoever_may_do_more_is_not_changed(client, name):
    boss = User.objects.create_user("boss", password="a-long-passphrase", is_staff=True)
    boss.user_permissions.add(permission("approve_change"))
    chief = User.objects.create_superuser("chief", password="a-long-passphrase")
    address = {"password_change": "admin:auth_user_password_change"}.get(name, f"admin:auth_user_{name}")

    for user in (boss, chief):
        form = {"password1": "another-passphrase", "password2": "another-passphrase", "post": "yes", "username": "x"}
        assert client.post(reverse(address, args=[user.pk]), form).status_code == 403
        assert User.objects.get(pk=user.pk).check_password("a-long-passphrase")


def test_the_overview_names_the_superusers(finance, client):
    User.objects.create_superuser("chief")
    User.objects.create_user("viewer", is_staff=True)

    shown = finance.get("/admin/").content.decode()
    assert "chief, finance" in shown
    assert "viewer" not in shown
    assert "chief" in client.get("/admin/").content.decode()


def test_the_overview_says_which_tokens_expire_soon(finance):
    issue("later", ["stripe:finance:bot"], ["read"])
    assert "Bot tokens that expire" not in finance.get("/admin/").content.decode()
    issue("soon", ["stripe:finance:bot"], ["read"], lifetime=timedelta(days=3))

    assert "Bot tokens that expire within 14 days" in finance.get("/admin/").content.decode()
    assert finance.get("/admin/routing/bottoken/?o=6").status_code == 200
