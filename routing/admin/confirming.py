"""Asks before a step that stops or restarts billing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.template.response import TemplateResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.admin import AdminSite
    from django.forms import BaseForm
    from django.http import HttpRequest

_SHOWN = 50
"""Names listed in a question; more would hide the buttons."""


@dataclass(frozen=True, slots=True)
class Question:
    title: str
    consequences: tuple[str, ...]
    button: str
    is_dangerous: bool


def is_confirmed(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("confirmed") == "yes"


def ask(  # noqa: PLR0913 (the parts of one page)
    site: AdminSite,
    request: HttpRequest,
    question: Question,
    about: Iterable[Any],
    back: str,
    *,
    form: BaseForm | None = None,
) -> TemplateResponse:
    """Show the question, with what else is to be filled in. Its form repeats this request with the answer."""
    names = [str(one) for one in about]
    context = {
        **site.each_context(request),
        "title": question.title,
        "question": question,
        "names": names[:_SHOWN],
        "more": len(names) - _SHOWN,
        "repeated": [
            (name, value)
            for name, values in request.POST.lists()
            if name in ("action", "select_across", "_selected_action")
            for value in values
        ],
        "back": back,
        "form": form,
    }
    return TemplateResponse(request, "admin/routing/confirm.html", context)
