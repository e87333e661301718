"""The page that says where each domain's key comes from, whose account it opens, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse

from routing.errors import BillingError
from routing.keys import KeyState, KeyStatus, keyring
from routing.payments.stripe_api.accounts import account_mismatch
from routing.registry.models import Domain

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite
    from django.http import HttpRequest

_TONES = {
    KeyState.FRESH: "good",
    KeyState.LAST_GOOD: "warning",
    KeyState.BAKED: "warning",
    KeyState.NOT_LOADED: "quiet",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A domain's key. ``tone`` is a badge's; ``problem`` says in whole sentences what is wrong, if anything is."""

    domain: Domain
    key: KeyStatus
    problem: str
    tone: str


def keys_page(site: AdminSite, request: HttpRequest) -> TemplateResponse:
    if not request.user.has_perm("routing.view_domain"):
        raise PermissionDenied
    context = {**site.each_context(request), "title": "Keys", **_found()}
    return TemplateResponse(request, "admin/routing/keys.html", context)


def _found() -> dict[str, object]:
    try:
        keyring()
    except BillingError as error:
        return {"problem": str(error)}
    return {"rows": [_row(domain) for domain in Domain.objects.order_by("slug")]}


def _row(domain: Domain) -> Row:
    keyring().load(domain.slug, domain.key_path)
    key = keyring().status(domain.slug)
    wrong_account = account_mismatch(domain.slug, domain.account_id, key.fingerprint, key.account_id)
    tone = "bad" if wrong_account else _TONES.get(key.state, "bad")
    return Row(domain, key, wrong_account or key.problem, tone)
