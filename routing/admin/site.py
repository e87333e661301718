"""What every page of the finance desk shares: the navigation, the stylesheet and the sign of a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest


def environment_badge(_request: HttpRequest) -> list[str] | None:
    """Return the words and the tone of the sign; production carries none."""
    return ["Sandbox", "warning"] if settings.IS_SANDBOX else None


def title_prefix(_request: HttpRequest) -> str:
    return "[Sandbox]" if settings.IS_SANDBOX else ""


def stylesheet(_request: HttpRequest) -> str:
    return static("routing/desk.css")


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "title": "Money",
            "items": [
                {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")},
                _item("Payments", "payments", "payment"),
                _item("Discrepancies", "balance", "discrepancy"),
                _item("Pause everything", "pause_circle", "pause"),
            ],
        },
        {
            "title": "Who pays what",
            "items": [
                {**_item("Bots", "smart_toy", "bot"), "active": _is_bots_page},
                _item("Routes", "alt_route", "route"),
                _item("Overrides", "tune", "override"),
                _item("Caps", "speed", "cap"),
                {
                    "title": "Check a call",
                    "icon": "quiz",
                    "link": reverse("admin:routing_decision"),
                    "permission": _allowed("routing.view_route"),
                },
            ],
        },
        {
            "title": "Set-up",
            "items": [
                {**_item("Domains", "account_balance", "domain"), "active": _is_domains_page},
                {
                    "title": "Keys",
                    "icon": "vpn_key",
                    "link": reverse("admin:routing_keys"),
                    "permission": _allowed("routing.view_domain"),
                },
                _item("Regions", "public", "region"),
                _item("Business categories", "category", "category"),
                _item("Webhooks", "webhook", "webhookevent"),
                _item("Bot tokens", "key", "bottoken"),
                _item("People", "person", "user", app="auth"),
                _item("Groups of people", "group", "group", app="auth"),
            ],
        },
    ]


def _is_bots_page(request: HttpRequest) -> bool:
    return _is_below(request, "bot") and request.path != reverse("admin:routing_decision")


def _is_domains_page(request: HttpRequest) -> bool:
    return _is_below(request, "domain") and request.path != reverse("admin:routing_keys")


def _is_below(request: HttpRequest, model: str) -> bool:
    return request.path.startswith(reverse(f"admin:routing_{model}_changelist"))


def _item(title: str, icon: str, model: str, *, app: str = "routing") -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _allowed(f"{app}.view_{model}"),
    }


def _allowed(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)
