"""The WSGI application in a worker of ``manage.py serve``, which ends with the process that started it."""

import os
import signal
import sys

from billing_router.dies_with_parent import die_with
from billing_router.wsgi import application

__all__ = ["application"]

if sys.platform == "linux":
    die_with(os.getppid(), signal.SIGTERM)
