"""The server's own settings, with every logger at its loudest and an address that fails with a key in its hands."""

import os

from billing_router.settings import *  # noqa: F403 (these are the settings, but for what follows)
from billing_router.settings import LOGGING

os.environ["STRIPE_LOG"] = "debug"  # the SDK prints by itself then, past all logging
ROOT_URLCONF = "tests.keys.loud_urls"
LOGGING["root"]["level"] = "DEBUG"
for logger in LOGGING["loggers"].values():
    logger["level"] = "DEBUG"
