"""The application in a worker of ``manage.py serve``, which ends with the process that started it."""

import gc
import os
import signal
import sys

from django.urls import get_resolver

from billing_router.asgi import application
from billing_router.dies_with_parent import die_with

__all__ = ["application"]

_SWITCH_SECONDS = 0.0005
"""After which a thread that computes lets others run. A probe takes several turns: at Python's 5 ms it waits long."""

if sys.platform == "linux":
    die_with(os.getppid(), signal.SIGTERM)

sys.setswitchinterval(_SWITCH_SECONDS)
_ = get_resolver().url_patterns  # imports every view now, and not at the first requests
gc.collect()
gc.freeze()  # what is imported lives for ever: looking through it again stops every thread for a tenth of a second
