"""The router as a Django app."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class RoutingConfig(AppConfig):
    name = "routing"
    verbose_name = "billing"

    def ready(self) -> None:
        from routing.audit.acting import wrap_statements  # noqa: PLC0415 (once Django is ready)
        from routing.keys import checks  # noqa: F401, PLC0415 (registers itself, once Django is ready)

        connection_created.connect(wrap_statements)
