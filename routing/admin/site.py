"""What every page of the admin shows: the navigation, the stylesheet, and the name of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest


def environment_badge(_request: HttpRequest) -> list[str] | None:
    """Return the badge's text and tone; production has no badge."""
    return ["Sandbox", "warning"] if settings.IS_SANDBOX else None


def title_prefix(_request: HttpRequest) -> str:
    return "[Sandbox]" if settings.IS_SANDBOX else ""


def stylesheet(_request: HttpRequest) -> str:
    return static("routing/admin.css")


def account_links(_request: HttpRequest) -> list[dict[str, Any]]:
    """Return the links of one's own pages, below one's name."""
    return [
        {"title": "Change password", "link": reverse("admin:password_change")},
        {"title": "Passkeys and codes", "link": reverse("mfa_index")},
        {"title": "Sessions", "link": reverse("usersessions_list")},
    ]


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "title": "Billing",
            "items": [
                {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")},
                _model_item("Payments", "payments", "payment"),
                _model_item("Discrepancies", "balance", "discrepancy"),
                _model_item("Pause all billing", "pause_circle", "pause"),
            ],
        },
        {
            "title": "Routing",
            "items": [
                _model_item("Changes", "rule", "changerequest"),
                {**_model_item("Bots", "smart_toy", "bot"), "active": _is_bot_page},
                _model_item("Routes", "alt_route", "route"),
                _model_item("Overrides", "tune", "override"),
                _model_item("Caps", "speed", "cap"),
                {
                    "title": "Check a call",
                    "icon": "quiz",
                    "link": reverse("admin:routing_check_call"),
                    "permission": _has_permission("routing.view_route"),
                },
            ],
        },
        {
            "title": "Setup",
            "items": [
                {**_model_item("Domains", "account_balance", "domain"), "active": _is_domain_page},
                {
                    "title": "Keys",
                    "icon": "vpn_key",
                    "link": reverse("admin:routing_keys"),
                    "permission": _has_permission("routing.view_domain"),
                },
                _model_item("Regions", "public", "region"),
                _model_item("Business categories", "category", "category"),
                _model_item("Webhook events", "webhook", "webhookevent"),
                _model_item("Bot tokens", "key", "bottoken"),
                _model_item("Audit log", "history", "auditentry"),
                _model_item("Users", "person", "user", app="auth"),
                _model_item("Roles", "group", "group", app="auth"),
            ],
        },
    ]


def _is_bot_page(request: HttpRequest) -> bool:
    return _is_model_page(request, "bot") and request.path != reverse("admin:routing_check_call")


def _is_domain_page(request: HttpRequest) -> bool:
    return _is_model_page(request, "domain") and request.path != reverse("admin:routing_keys")


def _is_model_page(request: HttpRequest, model: str) -> bool:
    return request.path.startswith(reverse(f"admin:routing_{model}_changelist"))


def _model_item(title: str, icon: str, model: str, *, app: str = "routing") -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _has_permission(f"{app}.view_{model}"),
    }


def _has_permission(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)
