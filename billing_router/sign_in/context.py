"""Gives django-allauth's pages what every page of the admin shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.urls import reverse

if TYPE_CHECKING:
    from django.http import HttpRequest


def admin_context(request: HttpRequest) -> dict[str, Any]:
    is_account_page = request.path.startswith(f"{reverse('admin:index')}account/")
    return admin.site.each_context(request) if is_account_page else {}
