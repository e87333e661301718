"""The page of the guard and the hook say what the guard does."""

import re
from pathlib import Path

import yaml

from billing_guard.rules import RULES

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_rule():
    page = (ROOT / "docs" / "guard.md").read_text()

    assert re.findall(r"^\| `(BG\d+)`", page, re.MULTILINE) == [rule.code for rule in RULES]


def test_the_page_shows_what_the_guard_prints():
    page = (ROOT / "docs" / "guard.md").read_text()
    rules = {rule.code: rule for rule in RULES}
    examples = re.findall(r"^\S+:\d+:\d+: (BG\d+) .*", page, re.MULTILINE)

    assert len(examples) == 2
    assert all(f" {rules[code].message} Write instead: {rules[code].instead}\n" in page for code in examples)


def test_the_hook_runs_the_guard_on_every_text_once():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

    assert hook["id"] == "billing-guard"
    assert hook["entry"] == "python -P -m billing_guard"
    assert hook["types"] == ["text"]
    assert hook["require_serial"] is True
