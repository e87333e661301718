"""The page of the domains' keys: where each comes from, the Stripe account it belongs to, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse

from routing.admin.shared.base import visible
from routing.errors import BillingError
from routing.keys import KeyState, KeyStatus, keyring
from routing.keys.source import KeyRef
from routing.payments.stripe_api.accounts import account_mismatch, confirmation_needed
from routing.registry.models import Domain

if TYPE_CHECKING:
    from django.http import HttpRequest

_STATES = {
    KeyState.FRESH: ("active", "good"),
    KeyState.LAST_GOOD: ("active: the source is unavailable", "warning"),
    KeyState.BAKED: ("fallback key: Vault is unavailable", "warning"),
    KeyState.NOT_LOADED: ("not loaded yet", "quiet"),
    KeyState.UNAVAILABLE: ("unavailable: no charges", "bad"),
    KeyState.REFUSED: ("not usable: no charges", "bad"),
}
"""The badge of each state, and its tone."""


_OF_ANOTHER_PATH = (
    "There is no usable key at the path that the domain names. Correct the path on the domain's page, or have an "
    "operator run manage.py check_keys on the server, which says what is wrong."
)
"""Of a path that somebody has entered the page tells nothing: it would tell what Vault has there."""


@dataclass(frozen=True, slots=True)
class DomainKey:
    """What the page shows of a domain's key. ``problem`` says in whole sentences what is wrong, if anything is."""

    domain: Domain
    status: KeyStatus
    problem: str
    label: str
    tone: str


def keys_page(request: HttpRequest) -> TemplateResponse:
    if not request.user.has_perm("routing.view_domain"):
        raise PermissionDenied
    context = {**admin.site.each_context(request), "title": "Keys", **_loaded_keys(request)}
    return TemplateResponse(request, "admin/routing/keys.html", context)


def _loaded_keys(request: HttpRequest) -> dict[str, object]:
    """Return the keys of the user's domains, or the problem for which none can be loaded."""
    try:
        keyring()
    except BillingError as error:
        return {"problem": str(error)}
    return {"keys": [_domain_key(domain) for domain in visible(request, Domain).order_by("slug")]}


def _domain_key(domain: Domain) -> DomainKey:
    keyring().load(domain.slug, domain.key_path)
    status = keyring().status(domain.slug)
    if status.state is KeyState.REFUSED and KeyRef.for_domain(domain.slug, domain.key_path) != KeyRef.for_domain(
        domain.slug
    ):
        status = replace(status, problem=_OF_ANOTHER_PATH)
    label, tone = _STATES[status.state]
    if mismatch := account_mismatch(domain.slug, domain.account_id, status.fingerprint, status.account_id):
        return DomainKey(domain, status, mismatch, "wrong account: no charges", "bad")
    needed = confirmation_needed(domain.slug, domain.account_id, status.fingerprint, status.account_id)
    if status.fingerprint and needed:
        return DomainKey(domain, status, needed, "account not confirmed: no charges", "bad")
    return DomainKey(domain, status, status.problem, label, tone)
