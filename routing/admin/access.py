"""Who may come in: the bots' tokens, and the people of the finance desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from routing.access.models import EVERY_BOT, BotToken, Scope
from routing.admin.appearance import badge, moment
from routing.admin.confirming import Question, ask, is_confirmed
from routing.admin.desk import DeskAdmin, ReadOnlyAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString


@admin.register(BotToken)
class BotTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "begins_with", "state", "speaks_for", "may", "created"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "prefix"]
    search_help_text = "Search by name or by the token's beginning"
    when_empty = "No token has been issued yet. Issue one on the server with: manage.py issue_token"
    fields = ["name", "begins_with", "state", "speaks_for", "may", "created", "revoked"]
    actions = ["revoke_selected"]
    actions_detail = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return request.user.has_perm("routing.change_bottoken")

    @action(description="Revoke", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, rows: QuerySet[BotToken]) -> HttpResponse | None:
        return self._revoke(request, rows, back=request.path)

    @action(description="Revoke", permissions=["revoke"], icon="block", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token = self.get_object(request, object_id)
        if token is None:
            raise Http404
        back = reverse("admin:routing_bottoken_change", args=[token.pk])
        return self._revoke(request, BotToken.objects.filter(pk=token.pk), back=back) or HttpResponseRedirect(back)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        token = self.get_object(request, object_id)
        return [] if token is None or token.revoked_at else super().get_actions_detail(request, object_id)

    @admin.display(description="begins with")
    def begins_with(self, row: BotToken) -> str:
        return f"brt_{row.prefix}_…"

    @admin.display(description="state", ordering="revoked_at")
    def state(self, row: BotToken) -> SafeString:
        return badge("revoked", "bad") if row.revoked_at else badge("active", "good")

    @admin.display(description="speaks for")
    def speaks_for(self, row: BotToken) -> str:
        return "every bot" if EVERY_BOT in row.bots else ", ".join(row.bots)

    @admin.display(description="may")
    def may(self, row: BotToken) -> str:
        return ", ".join(Scope(scope).label for scope in row.scopes)

    @admin.display(description="created", ordering="created_at")
    def created(self, row: BotToken) -> str:
        return moment(row.created_at)

    @admin.display(description="revoked", ordering="revoked_at")
    def revoked(self, row: BotToken) -> str:
        return moment(row.revoked_at)

    def _revoke(self, request: HttpRequest, rows: QuerySet[BotToken], *, back: str) -> HttpResponse | None:
        revoking = list(rows.filter(revoked_at=None))
        if not is_confirmed(request):
            return ask(self.admin_site, request, _question(len(revoking)), revoking, back)
        BotToken.objects.filter(pk__in=[token.pk for token in revoking], revoked_at=None).update(revoked_at=Now())
        for token in revoking:
            self.log_change(request, token, "Revoked.")
        messages.success(request, f"Revoked: {', '.join(map(str, revoking)) or 'nothing to revoke'}.")
        return None


def _question(count: int) -> Question:
    return Question(
        "Revoke this token?" if count == 1 else f"Revoke {count} tokens?",
        (
            "Whoever uses it is refused from this moment on. It cannot be undone: the bot needs a new token.",
            "Charges that were already sent to Stripe are not stopped or returned.",
        ),
        "Revoke",
        is_dangerous=True,
    )


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(UserAdmin, DeskAdmin):  # type: ignore[type-arg]  # generic for type checkers alone
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_help_text = "Search by name or e-mail address"


@admin.register(Group)
class PeopleGroupAdmin(GroupAdmin, DeskAdmin):
    search_help_text = "Search by name"
    when_empty = "No group exists yet. A group gives the same permissions to several people."
