"""The base class of the registry's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.db import IntegrityError, transaction

from routing.admin.registry.forms import PageForm
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.errors import RegistryBusy
from routing.payments.customer_owners import SharedCustomer, newly_shared
from routing.registry.lock import lock_registry

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest, HttpResponse

CONFLICT = "The database refused this because something else changed at the same time. Reload the page and try again."


_SHARE = Confirmation(
    "Charge the customer of another bot?",
    ("Nothing is saved yet. The customer pays for both bots: save it only if that is meant.",),
    "Save",
    is_dangerous=True,
    resubmits=True,
)


class _OfAnotherBot(Exception):  # noqa: N818 (it never leaves this module)
    """What was saved charges the customer of another bot."""

    def __init__(self, shared: list[SharedCustomer]) -> None:
        super().__init__()
        self.shared = shared


class RegistryAdmin(BaseAdmin):
    """Locks the registry while a page is saved, and explains what only the database can refuse.

    ``fixed_fields`` are the names that bots use in their calls, which cannot be changed later.
    """

    form = PageForm
    fixed_fields: ClassVar[tuple[str, ...]] = ("slug",)
    change_form_before_template = "admin/routing/page_version.html"

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            try:
                with transaction.atomic():
                    lock_registry()
                    response = super().changeform_view(request, *args, **kwargs)
                    _ask_about_other_bots(request)
                    return response
            except _OfAnotherBot as error:
                return confirmation_page(request, _SHARE, error.shared, request.path)
            except RegistryBusy as error:
                request.conflict = str(error)  # type: ignore[attr-defined]  # the page that the request is for reads it
            except IntegrityError as error:
                request.conflict = _violation_message(error)  # type: ignore[attr-defined]  # the page that the request is for reads it
        return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[PageForm]:
        form: type[PageForm] = super().get_form(request, *args, **kwargs)
        form.conflict = getattr(request, "conflict", None)  # the class is a new one for every request
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, *self.fixed_fields) if obj else fields


def _ask_about_other_bots(request: HttpRequest) -> None:
    if not is_confirmed(request) and (shared := newly_shared()):
        raise _OfAnotherBot(shared)


def _violation_message(error: IntegrityError) -> str:
    """Return the message of the constraint that was violated."""
    violated = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    for model in apps.get_app_config("routing").get_models():
        for constraint in model._meta.constraints:  # noqa: SLF001 (Django's documented API)
            if constraint.name == violated:
                return str(constraint.violation_error_message)
    return CONFLICT
