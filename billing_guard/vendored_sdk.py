"""Which folders are vendored copies of Stripe's SDK, and which only share its name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARKERS = {
    "_stripe_client.py": "_api_requestor.py",
    "api_requestor.py": "stripe_object.py",  # Python, before 8
    "stripe.core.js": "StripeResource.js",
    "stripe.js": "StripeResource.js",  # Node, before 12
    "StripeClient.php": "ApiRequestor.php",
    "ApiRequestor.php": "StripeObject.php",  # PHP, before 7
    "stripe_client.rb": "stripe_object.rb",
    "stripe.go": "paymentintent.go",
    "StripeClient.java": "Stripe.java",
    "StripeClient.cs": "StripeConfiguration.cs",
}
"""Pairs of file names that lie side by side in the SDK of one language and in no other folder."""


def is_marker(path: Path) -> bool:
    """Whether this is the one file under which a copy is reported."""
    neighbour = _MARKERS.get(path.name)
    if neighbour is None or not path.with_name(neighbour).is_file():
        return False
    return next(_markers_in(path.parent)) == path.name


@cache
def is_copy(folder: Path) -> bool:
    """Whether the folder is a copy, or is inside one."""
    if any(_markers_in(folder)):
        return True
    return folder.parent != folder and is_copy(folder.parent)


@cache
def is_shadowed(path: Path, module: str) -> bool:
    """Whether ``import module`` in this file imports the code base's own module of that name.

    It does if a folder above the file that is no package itself, and so may be on Python's path, holds such a module.
    A file never imports itself: ``stripe.py`` that imports stripe means the SDK.
    """
    for folder in path.absolute().parents:
        own = folder / f"{module}.py"
        has_package = (folder / module / "__init__.py").is_file() and not is_copy(folder / module)
        if (has_package or (own.is_file() and own != path.absolute())) and not (folder / "__init__.py").exists():
            return True
        if (folder / ".git").exists():
            return False
    return False


def _markers_in(folder: Path) -> Iterator[str]:
    for name, neighbour in _MARKERS.items():
        if (folder / name).is_file() and (folder / neighbour).is_file():
            yield name
