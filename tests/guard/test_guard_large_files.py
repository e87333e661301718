"""A large file cannot hold up a pipeline: the time that it takes grows with its size, not with the square of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.guard.fake_keys import API

HOST = API.removeprefix("https://")
ROOT = Path(__file__).parents[2]

GIVE_UP = 60
"""Seconds. Each of these files takes about one; what backtracks over it takes many minutes."""

WORDS, LINES = 500_000, 50_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", f"stripe = {'cmd' * WORDS}\n"),
        ("a.py", f"stripe = 1\nrun({' ' * WORDS}\n"),
        ("a.py", f"stripe = 1\ncmd ={' ' * WORDS}x\n"),
        ("a.py", f"stripe = 1\ncmd:{' ' * WORDS}\n"),
        ("a.py", f'stripe = 1\nrun("stripe",{" " * WORDS}\n'),
        ("a.js", f"host:{' ' * 1900}'{HOST}'\n" * 50),
        ("a.sh", f"S={HOST}\n" + "curl https://$S/v1/charges\n" * LINES),
        ("a.sh", f"curl {API}/v1/charges\n" * LINES),
        ("a.sh", "echo \\\n" + f"  {HOST}/v1/charges \\\n" * LINES),
        ("a.sh", f"S={HOST}\n" + "a=( " * WORDS),
        ("a.sh", f"S={HOST}\ncurl $S/v1/x\n" + "$(a-" * WORDS),
        ("a.sh", "stripe " * WORDS),
        ("a.py", "stripe = 1\nrun('stripe', " * 2 + "[(" * WORDS),
    ],
    ids=[
        "word",
        "argument",
        "assigned",
        "type",
        "list",
        "host",
        "variable",
        "urls",
        "continued line",
        "arrays",
        "substitutions",
        "commands",
        "brackets",
    ],
)
def test_the_guard_reads_it_to_its_end(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    guard = [sys.executable, "-m", "billing_guard", str(tmp_path)]
    finished = subprocess.run(guard, cwd=ROOT, capture_output=True, timeout=GIVE_UP, check=False)

    assert finished.returncode in (0, 1)
    assert finished.stderr.endswith(b" in 1 file.\n")
