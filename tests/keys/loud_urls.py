"""The server's own addresses, and one that fails with a key in its hands."""

import logging

from django.urls import path

from billing_router.urls import handler404, handler500, urlpatterns
from routing.payments.stripe_api.accounts import load_keys
from routing.registry import snapshot

__all__ = ["handler404", "handler500", "urlpatterns"]


def fail(_request):
    keys, _ = load_keys(snapshot.current().table.domains["stripe"])
    revealed = keys.secret_key.reveal()
    logging.getLogger("somebody.elses").warning("About to send %s with %r.", revealed, keys)
    raise ValueError(f"Authorization: Bearer {revealed} was not understood, nor {keys.webhook_secrets[0].reveal()}")


urlpatterns = [path("fail", fail), path("api/fail", fail), *urlpatterns]
