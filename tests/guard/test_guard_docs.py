"""The page of the guard and the hook say what the guard does."""

import re
from pathlib import Path

import yaml

from billing_guard.rules import RULES

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_code():
    page = (ROOT / "docs" / "guard.md").read_text()

    assert re.findall(r"^\| `(BG\d+)`", page, re.MULTILINE) == [rule.code for rule in RULES]


def test_the_hook_runs_the_guard_on_every_text_once():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

    assert hook["id"] == "billing-guard"
    assert hook["entry"] == "python -P -m billing_guard"
    assert hook["types"] == ["text"]
    assert hook["require_serial"] is True
