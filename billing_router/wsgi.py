"""The WSGI application, for any server."""

import os
import threading
from wsgiref.handlers import BaseHandler

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_router.settings")

application = get_wsgi_application()

from django.conf import settings  # noqa: E402 (as below)

from billing_router.postgresql.base import SESSION  # noqa: E402 (needs Django, which the line above sets up)
from billing_router.undumpable import make_undumpable  # noqa: E402 (as above)
from routing import readiness  # noqa: E402 (as above)
from routing.payments.stripe_api.accounts import load_all_keys  # noqa: E402 (as above)

if not settings.IS_SANDBOX:
    make_undumpable()
SESSION["statement_timeout"] = "30s"  # a page that takes longer serves nobody
readiness.monitor()
threading.Thread(target=load_all_keys, name="load-keys", daemon=True).start()

BaseHandler.os_environ = {}
"""Django's runserver would copy the environment, and the keys in it, into every request, which error reports show."""
