"""Resumes all billing."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand

from routing.registry.pausing import resume_everything


class Command(BaseCommand):
    help = "Resume all billing. Bots, categories and domains that are paused individually stay paused."

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        ended = resume_everything(by=f"manage.py ({getpass.getuser()})")
        return "All billing is resumed." if ended else "It was not paused."
