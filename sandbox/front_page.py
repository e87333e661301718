"""The page at ``/``: that this is not Stripe, whose accounts it holds, and what was asked of it lately."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import TYPE_CHECKING

from sandbox.http import Answer
from sandbox.objects import NOTICE
from sandbox.wheel import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.objects import Json
    from sandbox.request_log import RequestLog
    from sandbox.store import Account, Store

_CHARGES = 20
_REQUESTS = 40
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1f2933;background:#fff}
.notice{background:#fff3cd;border-left:.4rem solid #d97706;padding:.75rem 1rem;font-weight:600}
h2{margin-top:2.5rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid #e4e7eb;vertical-align:top}
code{font-size:.9em}.quiet{color:#52606d}
@media(prefers-color-scheme:dark){body{color:#e4e7eb;background:#151a21}.notice{background:#3b2f10}
th,td{border-color:#323f4b}.quiet{color:#9aa5b1}}
"""


def answer(store: Store, log: RequestLog) -> Answer:
    with store.lock:
        accounts = list(store.accounts.values())
        sections = [_accounts(accounts), _charges(accounts)]
        now = _time(store.now())
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sandbox (not Stripe)</title><style>{_STYLE}</style></head><body>
<h1>Sandbox</h1>
<p class="notice">{escape(NOTICE)}</p>
<p>It answers like Stripe's API {escape(API_VERSION)} so that the billing router can be tried and tested on one machine.
Its keys look live because the router takes no others. Its time is {now} UTC.</p>
{"".join(sections)}{_requests(log)}
</body></html>"""
    return Answer(200, page.encode(), "text/html; charset=utf-8", {"Content-Security-Policy": _POLICY})


def _accounts(accounts: Iterable[Account]) -> str:
    rows = [(f"<code>{escape(account.id)}</code>", escape(_counted(account))) for account in accounts]
    return _table("Accounts", ("Account", "Holds"), rows)


def _counted(account: Account) -> str:
    counts = ((kind, len(found)) for kind, found in sorted(account.by_kind.items()))
    return ", ".join(f"{kind}: {count}" for kind, count in counts if kind != "event") or "nothing yet"


def _charges(accounts: Iterable[Account]) -> str:
    recent = [
        (account, account.objects[identifier])
        for account in accounts
        for identifier in islice(reversed(account.by_kind.get("charge", {})), _CHARGES)
    ]
    recent.sort(key=lambda pair: pair[1]["created"], reverse=True)
    rows = [_charge_row(account, charge) for account, charge in recent[:_CHARGES]]
    return _table("Recent charges", ("When", "Account", "Charge", "Amount (minor units)", "Status", "For"), rows)


def _charge_row(account: Account, charge: Json) -> tuple[str, ...]:
    amount = f"{charge['amount']} {charge['currency'].upper()}"
    status = "refunded" if charge["refunded"] else charge["status"]
    why = charge["description"] or ""
    return (
        _time(charge["created"]),
        f"<code>{escape(account.id)}</code>",
        f"<code>{escape(charge['id'])}</code>",
        escape(amount),
        escape(status),
        escape(why),
    )


def _requests(log: RequestLog) -> str:
    rows = [
        (
            _time(request["at"]),
            f"<code>{escape(request['method'])} {escape(request['path'])}</code>",
            escape(_outcome(request)),
            f"<code>{escape(request['idempotency_key'] or '')}</code>",
        )
        for request in reversed(log.oldest_first(_REQUESTS))
    ]
    return _table("Recent requests", ("When", "Request", "Answer", "Idempotency key"), rows)


def _outcome(request: Json) -> str:
    status = {None: "running", 0: "reset"}.get(request["status"], str(request["status"]))
    notes = [name for name in ("replayed" if request["replayed"] else "", request["fault"]) if name]
    return " ".join([status, *(f"({note})" for note in notes)])


def _table(title: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return f'<h2>{title}</h2><p class="quiet">None yet.</p>'
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
