"""Which releases of the router may charge."""

from __future__ import annotations

RELEASE = 2
"""Of this code. It counts the steps below, and is not the version of a distribution."""

LEAST_RELEASE = 2
"""The oldest release that may charge. A trigger requires it of every payment that is written.

Whoever adds a kind of stop, or of limit, that an older release would not heed raises both numbers, and makes the
migration that puts the new one into the trigger: from then on a server that still runs the older release charges
nothing. Release 1 heeds a pause of a domain, a category or a bot that makes no new version of the registry; release 2
that a token expires and is for some networks alone, and that nobody has confirmed a domain's account.
"""
