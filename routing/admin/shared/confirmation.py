"""The page that asks for confirmation before billing is paused, resumed or cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.template.response import TemplateResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.forms import BaseForm
    from django.http import HttpRequest

_MAX_LISTED = 50
"""Objects listed by name; more would push the buttons out of sight."""

_ACTION_FIELDS = ("action", "select_across", "_selected_action")
"""What Django's list of objects posts when an action is run on some of them."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    title: str
    consequences: tuple[str, ...]
    """Sentences, one a paragraph."""
    button: str
    is_dangerous: bool
    resubmits: bool = False
    """Whether all that was posted is sent again, as of a page's own form, and not the choice of an action alone."""


def is_confirmed(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("confirmed") == "yes"


def confirmation_page(
    request: HttpRequest,
    confirmation: Confirmation,
    affected: Iterable[Any],
    back_url: str,
    *,
    form: BaseForm | None = None,
) -> TemplateResponse:
    """Ask for confirmation, and for what else ``form`` holds. Confirming sends this request again."""
    everything = [name for name in request.POST if name != "csrfmiddlewaretoken"]
    posted = everything if confirmation.resubmits else _ACTION_FIELDS
    names = [str(each) for each in affected]
    context = {
        **admin.site.each_context(request),
        "title": confirmation.title,
        "confirmation": confirmation,
        "names": names[:_MAX_LISTED],
        "unlisted_count": len(names) - _MAX_LISTED,
        "action_fields": [(name, value) for name in posted for value in request.POST.getlist(name)],
        "back_url": back_url,
        "form": form,
    }
    return TemplateResponse(request, "admin/routing/confirmation.html", context)
