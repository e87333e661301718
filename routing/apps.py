"""The router as a Django app."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "routing"
    verbose_name = "billing"

    def ready(self) -> None:
        from routing.keys import checks  # noqa: F401, PLC0415 (registers itself, once Django is ready)
