"""Which folders are copies of Stripe's SDK, and which merely have its name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARKS = {
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
"""File names by file names that lie beside them, in the SDK of each language and in nothing else."""


def is_mark(path: Path) -> bool:
    """Whether this is the file by which a copy is reported, once."""
    beside = _MARKS.get(path.name)
    if beside is None or not path.with_name(beside).is_file():
        return False
    return next(_marks_in(path.parent)) == path.name


@cache
def is_copy(folder: Path) -> bool:
    """Whether the folder is a copy, or lies in one."""
    if any(_marks_in(folder)):
        return True
    return folder.parent != folder and is_copy(folder.parent)


@cache
def is_shadowed(path: Path, module: str) -> bool:
    """Whether ``import module`` in this file takes in the code base's own module of that name.

    It does where a folder that Python looks in, so one that is no package, holds such a module above the file. A file
    never means itself: ``stripe.py`` that imports stripe means the SDK.
    """
    for folder in path.absolute().parents:
        own = folder / f"{module}.py"
        has_package = (folder / module / "__init__.py").is_file() and not is_copy(folder / module)
        if (has_package or (own.is_file() and own != path.absolute())) and not (folder / "__init__.py").exists():
            return True
        if (folder / ".git").exists():
            return False
    return False


def _marks_in(folder: Path) -> Iterator[str]:
    for name, beside in _MARKS.items():
        if (folder / name).is_file() and (folder / beside).is_file():
            yield name
