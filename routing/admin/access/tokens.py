"""The pages of the bots' tokens, where they are issued, rotated and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models.functions import Now
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from unfold.decorators import action
from unfold.enums import ActionVariant

from routing.access.models import EVERY_QUALIFIER, BotToken, Scope, SpeaksElsewhere
from routing.access.tokens import EXPIRES_SOON
from routing.admin.access.token_issuing import IssuingAdmin
from routing.admin.shared.appearance import EMPTY, badge, format_time
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.admin.shared.filters import TimeStatusFilter
from routing.approval.models import ChangeRequest
from routing.audit.models import AuditEntry
from routing.identifiers import EVERY

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString


class StatusFilter(TimeStatusFilter):
    labels = ("Active", "Revoked")


@admin.register(BotToken)
class BotTokenAdmin(IssuingAdmin):
    domain_lookup = "bots"
    list_display = ["name", "masked_token", "status", "allowed_bots", "permissions", "expires", "last_used"]
    list_select_related = ["use"]
    list_filter = [("revoked_at", StatusFilter)]
    search_fields = ["name", "prefix"]
    search_help_text = "Search by name or by the first characters of the token"
    empty_message = "No token has been issued yet. A bot shows one with each call; issue one for each bot."
    fields = [
        "name",
        "masked_token",
        "status",
        "allowed_bots",
        "permissions",
        "allowed_qualifiers",
        "from_where",
        "created",
        "issued_by",
        "expires",
        "revoked",
        "last_used",
        "seen",
    ]
    actions = ["revoke_selected"]
    actions_detail = ["rotate", "revoke"]

    def within(self, rows: QuerySet[BotToken], domains: frozenset[str]) -> QuerySet[BotToken]:
        """Return the tokens that speak for bots of these domains alone."""
        return rows.exclude(SpeaksElsewhere("bots", domains))

    def has_revoke_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return request.user.has_perm("routing.change_bottoken")

    @action(description="Revoke", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, tokens: QuerySet[BotToken]) -> HttpResponse | None:
        return self._revoke(request, tokens, back_url=request.path)

    @action(description="Revoke", permissions=["revoke"], icon="block", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token = self.get_object(request, object_id)
        if token is None:
            raise Http404
        back_url = reverse("admin:routing_bottoken_change", args=[token.pk])
        tokens = BotToken.objects.filter(pk=token.pk)
        return self._revoke(request, tokens, back_url=back_url) or HttpResponseRedirect(back_url)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        token = self.get_object(request, object_id)
        return [] if token is None or token.revoked_at else super().get_actions_detail(request, object_id)

    @admin.display(description="token")
    def masked_token(self, token: BotToken) -> str:
        return f"brt_{token.prefix}_…"

    @admin.display(description="status", ordering="revoked_at")
    def status(self, token: BotToken) -> SafeString:
        if token.revoked_at:
            return badge("revoked", "bad")
        if token.expires_at is None:
            return badge("active, never expires", "warning")
        left = token.expires_at - timezone.now()
        if left <= timedelta(0):
            return badge("expired", "bad")
        return badge(f"expires in {left.days} days", "warning") if left < EXPIRES_SOON else badge("active", "good")

    @admin.display(description="bots")
    def allowed_bots(self, token: BotToken) -> str:
        return ", ".join(map(_bots_text, token.bots))

    @admin.display(description="permissions")
    def permissions(self, token: BotToken) -> str:
        return capfirst(", ".join(Scope(scope).label for scope in token.scopes))

    @admin.display(description="qualifiers that its calls may name")
    def allowed_qualifiers(self, token: BotToken) -> str:
        return "every one" if EVERY_QUALIFIER in token.qualifiers else ", ".join(token.qualifiers) or "none"

    @admin.display(description="may be used from")
    def from_where(self, token: BotToken) -> str:
        return ", ".join(token.networks) or "anywhere"

    @admin.display(description="has been used from")
    def seen(self, token: BotToken) -> str:
        return ", ".join(token.use.networks if hasattr(token, "use") else ()) or EMPTY

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, token: BotToken) -> str:
        return format_time(token.expires_at)

    @admin.display(description="last used (to the hour)", ordering="use__at")
    def last_used(self, token: BotToken) -> str:
        return format_time(token.use.at if hasattr(token, "use") else None)

    @admin.display(description="created", ordering="created_at")
    def created(self, token: BotToken) -> str:
        return format_time(token.created_at)

    @admin.display(description="issued by")
    def issued_by(self, token: BotToken) -> str:
        """Return who is in the audit log for it, with whoever approved it where that took another person."""
        entries = AuditEntry.objects.filter(table_name=token._meta.db_table, object_id=str(token.pk))  # noqa: SLF001 (Django's documented API)
        issued = entries.filter(action=AuditEntry.Action.INSERT).order_by("at").first()
        if issued is None:
            return EMPTY
        change = ChangeRequest.objects.filter(applied_in=issued.transaction_id).first()
        return f"{change.proposed_by}, approved by {issued.actor}" if change else issued.actor

    @admin.display(description="revoked", ordering="revoked_at")
    def revoked(self, token: BotToken) -> str:
        return format_time(token.revoked_at)

    def _revoke(self, request: HttpRequest, tokens: QuerySet[BotToken], *, back_url: str) -> HttpResponse | None:
        active = list(tokens.filter(revoked_at=None))
        if not is_confirmed(request):
            return confirmation_page(request, _confirmation(len(active)), active, back_url)
        BotToken.objects.filter(pk__in=[token.pk for token in active], revoked_at=None).update(revoked_at=Now())
        for token in active:
            self.log_change(request, token, "Revoked.")
        messages.success(request, f"Revoked: {', '.join(map(str, active)) or 'nothing to revoke'}.")
        return None


def _bots_text(name: str) -> str:
    if name == EVERY:
        return "every bot"
    domain, category, bot = name.split(":")
    if bot != EVERY:
        return name
    return f"every bot of {domain}" if category == EVERY else f"every bot of {domain}:{category}"


def _confirmation(count: int) -> Confirmation:
    return Confirmation(
        "Revoke this token?" if count == 1 else f"Revoke {count} tokens?",
        (
            "Every request with it is refused at once. This cannot be undone: the bot will need a new token.",
            "Charges already sent to Stripe are not stopped or refunded.",
        ),
        "Revoke",
        is_dangerous=True,
    )
