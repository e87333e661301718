"""For commands that change what may need another person's approval."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from routing.approval.models import ChangeRequest
from routing.approval.proposals import apply_or_propose


class ProposingCommand(BaseCommand):
    """A command whose change takes effect at once, or is proposed where it needs another person's approval."""

    def execute(self, *args: Any, **options: Any) -> Any:
        outcome = apply_or_propose(lambda: super(ProposingCommand, self).execute(*args, **options))
        if isinstance(outcome, ChangeRequest):
            self.stdout.write(
                f"Proposed as {outcome}, as it needs another person's approval. It takes effect when somebody has "
                "approved it in the admin."
            )
            return None
        return outcome
