#!/usr/bin/env python
"""Django's commands, with the embedded database running where the sandbox uses it."""

import os
import sys

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db.utils import OperationalError

from billing_router.database import running_database
from stripe_billing_router.errors import BillingError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_router.settings")
    try:
        database = running_database()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    with database as embedded:
        if embedded and sys.argv[1:2] == ["runserver"]:
            execute_from_command_line([sys.argv[0], "migrate", "--verbosity=0"])
        try:
            execute_from_command_line(sys.argv)
        except BillingError as error:
            sys.exit(str(error))
        except (psycopg.OperationalError, OperationalError) as error:
            sys.exit(f"The database cannot be used. See that PostgreSQL runs, and DATABASE_URL. It says: {error}")


if __name__ == "__main__":
    main()
