"""Events that control delivers though nothing happened: thin, in test mode, of other accounts, of unknown types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from sandbox.objects import NOTICE, new_id
from sandbox.signing import Style  # noqa: TC001 (pydantic reads it)
from sandbox.wheel import API_VERSION


class EventOrder(BaseModel):
    """One event for every webhook endpoint of ``account``, whichever events it enabled.

    ``about`` is the object that it tells of. A thin event names that alone: https://docs.stripe.com/event-destinations
    ``more`` are any fields of the event: ``{"account": "acct_…"}`` for one of a connected account.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    type: str
    about: dict[str, Any] = {}
    livemode: bool = True
    thin: bool = False
    more: dict[str, Any] = {}
    signature: Style = "plain"

    def event(self, now: int) -> dict[str, Any]:
        same = {"id": new_id("evt"), "type": self.type, "livemode": self.livemode, "sandbox": NOTICE}
        return {**same, **(self._thin(now) if self.thin else self._snapshot(now)), **self.more}

    def _thin(self, now: int) -> dict[str, Any]:
        created = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {
            "object": "v2.core.event",
            "context": None,
            "created": created,
            "reason": None,
            "related_object": self.about or None,
        }

    def _snapshot(self, now: int) -> dict[str, Any]:
        return {
            "object": "event",
            "api_version": API_VERSION,
            "created": now,
            "data": {"object": self.about},
            "pending_webhooks": 1,
            "request": None,
        }
