"""Types of the commands' arguments."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime


def utc_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a day or a time: write it as 2026-11-01 or 2026-11-01T15:30."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
