#!/usr/bin/env python
"""Django's commands, with the embedded database running where the sandbox uses it."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from billing_router.database import running_database


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_router.settings")
    try:
        database = running_database()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    with database as embedded:
        if embedded and sys.argv[1:2] == ["runserver"]:
            execute_from_command_line([sys.argv[0], "migrate", "--verbosity=0"])
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
