"""A key that is pasted into any field of the admin is refused beside it, stored nowhere and not shown again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.forms import BaseForm, CharField
from django.urls import reverse

from routing.admin.shared.forms import KEY_REFUSED
from routing.approval.models import ChangeItem, ChangeRequest
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

pytestmark = pytest.mark.django_db

KEY = "sk_live_" + secrets.token_hex(12)

ADDED = ("bot", "route", "override", "cap", "domain", "region", "category", "bottoken")


def text_fields(form: BaseForm) -> Iterator[str]:
    for name, field in form.fields.items():
        if isinstance(field, CharField) and not field.widget.is_hidden and not name.startswith("password"):
            yield form.add_prefix(name)


def forms_of(page: Any) -> Iterator[BaseForm]:
    """Yield every form that the page shows, a new inline one of each kind among them."""
    context = page.context
    if "adminform" not in context:
        yield context["form"]
        return
    yield context["adminform"].form
    for inline in context.get("inline_admin_formsets", ()):
        yield inline.formset.empty_form


def tables_with_the_key() -> list[str]:
    """Return the tables of which a row has the key."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            rows = f"SELECT 1 FROM {connection.ops.quote_name(table)} AS row WHERE row::text LIKE %s LIMIT 1"  # noqa: S608 (a quoted name)
            cursor.execute(rows, [f"%{KEY}%"])
            found += [table] if cursor.fetchone() else []
    return found


def plant(client: Client, address: str, **always: str) -> None:
    """Send each form of the page with the key in each of its fields, one after the other."""
    fields = [name for form in forms_of(client.get(address)) for name in text_fields(form)]
    assert fields, address
    for name in fields:
        planted = name.replace("__prefix__", "0")
        prefix = planted.partition("-0-")[0] if "-0-" in planted else ""
        management = {f"{prefix}-TOTAL_FORMS": "1", f"{prefix}-INITIAL_FORMS": "0"} if prefix else {}
        others = {f"{each}-TOTAL_FORMS": "0" for each in ("routes", "overrides")} | {
            f"{each}-INITIAL_FORMS": "0" for each in ("routes", "overrides")
        }
        shown = client.post(address, {**others, **management, **always, planted: KEY}).content.decode()
        assert KEY_REFUSED.split(",")[0] in shown, (address, name)
        assert KEY not in shown, (address, name)


@pytest.mark.parametrize("model", [*ADDED, "user", "group"])
def test_of_every_page_that_adds_something(finance, bot, model):
    app = "auth" if model in ("user", "group") else "routing"

    plant(finance, reverse(f"admin:{app}_{model}_add"))

    assert tables_with_the_key() == []


def test_of_every_other_form(finance, bot, payment):
    succeeded = payment(payment_intent_id="pi_1")
    open_payment = payment(status=Status.NEEDS_REVIEW, settled_at=None)
    found = Discrepancy.objects.create(kind="bypass", domain="stripe", stripe_id="pi_2", details={"stripe": {}})
    change = ChangeRequest.objects.create(proposed_by="ann", road="admin")
    ChangeItem.objects.create(request=change, table_name="routing_bot", object_id="1", object_name="x", after={"id": 1})
    carl = User.objects.create_user("carl")
    confirmed = {"confirmed": "yes"}

    plant(finance, reverse("admin:routing_payment_refund", args=[succeeded.pk]), **confirmed, amount="1",
          reason="duplicate", remark="x")  # fmt: skip
    plant(finance, reverse("admin:routing_payment_review", args=[open_payment.pk]), verdict="succeeded", reason="x")
    plant(finance, reverse("admin:routing_discrepancy_change", args=[found.pk]))
    plant(finance, reverse("admin:routing_changerequest_reject", args=[change.pk]), **confirmed)
    plant(finance, reverse("admin:routing_pause_everything"), **confirmed)
    plant(finance, reverse("admin:auth_user_change", args=[carl.pk]))

    assert tables_with_the_key() == []


def test_every_page_with_a_form_is_tried_here():
    adding = {model._meta.model_name for model, pages in admin.site._registry.items()
              if pages.has_add_permission(_everybody())}  # fmt: skip

    assert adding == {*ADDED, "user", "group"}


def _everybody() -> Any:
    from django.test import RequestFactory

    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True, is_active=True, is_staff=True)
    return request
