"""Checks the VAULT_* settings before every command."""

from __future__ import annotations

import os
from typing import Any

from django.core.checks import Error, register

from routing.errors import KeyUnavailable
from routing.keys.vault_settings import VaultSettings


@register()
def check_vault_settings(**_: Any) -> list[Error]:
    try:
        VaultSettings.from_environ(os.environ)
    except KeyUnavailable as error:
        return [Error(str(error), id="routing.keys.E001")]
    return []
