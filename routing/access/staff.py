"""What the people who use the admin may do: the roles that come with the router, and the domains somebody works in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.access.models import StaffDomains

if TYPE_CHECKING:
    from django.apps.registry import Apps

_VIEW = frozenset(
    f"routing.view_{model}"
    for model in (
        "auditentry",
        "bot",
        "bottoken",
        "cap",
        "category",
        "changerequest",
        "discrepancy",
        "domain",
        "override",
        "pause",
        "payment",
        "region",
        "route",
        "webhookevent",
    )
)


def _all(model: str, app: str = "routing") -> frozenset[str]:
    return frozenset(f"{app}.{verb}_{model}" for verb in ("view", "add", "change", "delete"))


_SETTLES = frozenset({"routing.change_payment", "routing.change_discrepancy"})
_SEES_CUSTOMERS = frozenset({"routing.view_customer_contact"})
_STOPS = frozenset({"routing.pause_everything"})

_EDITOR = _VIEW | _SETTLES | _STOPS | _all("bot") | _all("route") | _all("override") | _all("cap")
_APPROVER = _VIEW | _SETTLES | _STOPS | _SEES_CUSTOMERS | {"routing.approve_change"}
_REFUNDER = _VIEW | _SEES_CUSTOMERS | {"routing.refund_payment"}
_TOKEN_ADMINISTRATOR = _VIEW | {"routing.add_bottoken", "routing.change_bottoken"}

ROLES: dict[str, frozenset[str]] = {
    "Viewer": _VIEW,
    "Editor": _EDITOR,
    "Approver": _APPROVER,
    "Refunder": _REFUNDER,
    "Token administrator": _TOKEN_ADMINISTRATOR,
    "Administrator": (
        _EDITOR
        | _APPROVER
        | _REFUNDER
        | _TOKEN_ADMINISTRATOR
        | _all("domain")
        | _all("category")
        | _all("region")
        | _all("user", "auth")
        | _all("group", "auth")
    ),
}
"""The permissions of each role, which is a group of Django's. A migration makes them; finance may make others.

Whoever gives a role needs all of it himself, which is why an administrator has every permission. What he changes takes
a second person like everybody's, where a domain's changes need approval.
"""


_READ = "_domains_of"
"""The attribute of a request's user that keeps his domains: a page asks for each model what he may do with it."""


def domains_of(user: Any) -> frozenset[str] | None:
    """Return the domains to which the user's work is limited; None if he works in every domain."""
    if user.is_superuser:
        return None
    if not hasattr(user, _READ):
        limit = StaffDomains.objects.filter(user_id=user.pk).first()
        setattr(user, _READ, None if limit is None else frozenset(limit.domains))
    domains: frozenset[str] | None = getattr(user, _READ)
    return domains


def make_roles(apps: Apps) -> None:
    """Make the groups of ``ROLES`` that do not exist yet. Those that exist are finance's, and stay as they are."""
    groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ids = {
        f"{app}.{codename}": pk
        for pk, app, codename in permissions.objects.values_list("pk", "content_type__app_label", "codename")
    }
    for name, role in ROLES.items():
        group, is_new = groups.objects.get_or_create(name=name)
        if is_new:
            group.permissions.add(*(ids[permission] for permission in role))
