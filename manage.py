#!/usr/bin/env python
"""Django's commands, with the embedded database running if the sandbox uses it."""

import getpass
import os
import sys
from contextlib import ExitStack

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db.utils import DatabaseError, OperationalError

from billing_router.database import running_database
from billing_router.embedded_postgres import EmbeddedPostgresError
from billing_router.environment import read_environment
from billing_router.undumpable import make_undumpable
from routing.approval.triggers import NEEDS_APPROVAL
from routing.audit.acting import Acting, acting
from stripe_billing_router.errors import BillingError, DatabaseUnavailable


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_router.settings")
    with ExitStack() as stack:
        try:
            if not read_environment().is_sandbox:
                make_undumpable()
            embedded = stack.enter_context(running_database())
        except (ImproperlyConfigured, EmbeddedPostgresError) as error:
            sys.exit(str(error))
        if embedded and sys.argv[1:2] == ["runserver"]:
            execute_from_command_line([sys.argv[0], "migrate", "--verbosity=0"])
        try:
            with acting(_person):
                execute_from_command_line(sys.argv)
        except DatabaseUnavailable as error:
            sys.exit(_without_database(error))
        except BillingError as error:
            sys.exit(str(error))
        except (psycopg.OperationalError, OperationalError) as error:
            sys.exit(_without_database(error))
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) != NEEDS_APPROVAL:
                raise
            sys.exit("This needs the approval of another person. Make the change in the admin, where it is proposed.")


def _person() -> Acting:
    return Acting(f"manage.py {' '.join(sys.argv[1:2])}".strip(), getpass.getuser())


def _without_database(error: Exception) -> str:
    reason = error
    while reason.__cause__ is not None:  # what PostgreSQL itself said
        reason = reason.__cause__
    return f"The database cannot be used. Check that PostgreSQL runs, and DATABASE_URL: {' '.join(str(reason).split())}"


if __name__ == "__main__":
    main()
