"""Masks secrets in every log line."""

from __future__ import annotations

import logging

from stripe_billing_router.redaction import redact

__all__ = ["RedactingFormatter", "redact"]


class RedactingFormatter(logging.Formatter):
    """Redacts the whole text of a record, traceback included: a filter sees neither tracebacks nor child loggers."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
