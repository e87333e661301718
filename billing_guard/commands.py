"""Where a code base runs Stripe's command line, or installs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing_guard.languages import TYPE_ANNOTATION
from billing_guard.rules import STRIPE_COMMAND, Detection
from billing_guard.source import blank_long_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROGRAM = r"(?:[\w.~$\\/-]{0,200}[\\/])?stripe(?:\.exe)?"
_NEXT = r"""(?:(?:[ \t]|\\\n)+|["'`][ \t]*,\s*+(?:\[\s*+)?[rbfu]?["'`])"""
"""Between two words: white space in a command, quotes and a comma in a list or before one."""
_OPERATIONS = (
    "create|retrieve|list|update|delete|cancel|capture|confirm|attach|detach|search|pay|resume|expire|advance|approve|"
    "close|finalize_invoice|send_invoice|void_invoice|mark_uncollectible|reverse"
)
_CALL = rf"""
    {_PROGRAM} {_NEXT}
    (?: (?:listen|trigger|login|fixtures|playback)\b(?![:=]) | logs{_NEXT}tail\b | events{_NEXT}resend\b
      | (?:get|post|delete){_NEXT}["']?(?:/|\$|[a-z]{{2,8}}_\w)
      | (?:[a-z_]+{_NEXT})? (?:[a-z_]+s|balance){_NEXT}(?:{_OPERATIONS})\b(?![:=])
      | (?!--?(?:version|help|h|v)\b) --?[a-z][\w-]* )
"""
"""Tells the command from a word in a sentence by what follows it."""

_WRAPPERS = r"sudo|env|exec|eval|command|nohup|time|timeout|watch|xargs|parallel|docker|ssh|(?:ba|z|da)?sh|retry"
_IN_SHELL = re.compile(
    rf"""
    (?: ^[ \t]* (?:-[ \t]+)* (?: (?i:run|cmd|command|script|entrypoint|exec):?[ \t]+ (?:--\S+[ \t]+)* )? [!@]? \[?["']?
      | (?:[;&|({{!] | (?<!\\)` | \b(?:then|do|else|if|while|until)[ \t]) [ \t]*
      | \b(?:{_WRAPPERS})[ \t] (?:[^\n;&|]{{0,200}}?[ \t])? ["']? )
    (?: \w++=\S*+[ \t]++ )*+
    (?P<command> {_CALL} | stripe[ \t]+["']?\$ )
    """,
    re.VERBOSE | re.MULTILINE,
)

_STRING_START = r"""[rbfu]{0,2}["'`]"""
_STARTS_PROCESS = (
    r"subprocess\.\w+|os\.(?:system|popen|exec\w+|spawn\w+|posix_spawnp?)|create_subprocess_(?:exec|shell)|Popen|"
    r"check_(?:call|output)|getoutput|child_process\.\w+|execa|execFile(?:Sync)?|(?:exec|spawn)Sync|exec\.Command\w*|"
    r"ProcessBuilder|Process\.Start|Command::new|shell_exec|passthru|proc_open|Open3\.\w+"
)
_MAY_START_PROCESS = r"run|call|exec|execute|spawn|system|popen|sh|bash|shell|command|invoke"
_NAMED_COMMAND = r"(?=\w*(?i:cmd|command|argv|args))\w++"
_ARGUMENT = (
    rf"\(\s*+(?:[\w.]++\s*+,\s*+)?(?:[\[({{]\s*+)?{_STRING_START}"
    rf"(?:[^\"'`\n]{{0,200}}?(?:[;&|(]|\b(?:{_WRAPPERS}))\s*)?"
)
_IN_CODE = re.compile(
    rf"""
    (?: \b(?:{_STARTS_PROCESS}){_ARGUMENT} (?P<started> {_PROGRAM}(?=["'`\s]) (?:{_NEXT}[\w/-]+){{0,2}} )
      | (?: \b(?:{_MAY_START_PROCESS}){_ARGUMENT}
          | [\[({{]\s* {_STRING_START} (?={_PROGRAM}["'`][ \t]*,)
          | ["'][/-]c["']\s*,\s*{_STRING_START}
          | \b{_NAMED_COMMAND} ["']? (?:{TYPE_ANNOTATION})? \s*+(?:[:=]|:=|=>)\s*+ (?:\[\s*+)? {_STRING_START} )
        (?P<command> {_CALL} )
      | ["'`](?P<image> (?:docker\.io/)?stripe/stripe-cli ) (?=[:@"'`\s]) )
    """,
    re.VERBOSE,
)
_IN_NPM_SCRIPT = re.compile(rf""":\s*"(?:[^"\n]{{0,500}}?[;&|]\s*)?(?P<command>{_CALL})""", re.VERBOSE)
_INSTALLED_IN_SHELL = re.compile(
    r"(?<![\w./-])(?:docker\.io/)?stripe/stripe-cli(?:/stripe)?(?=[:@\s\"']|$)"
    r"|github\.com/stripe/stripe-cli/(?:releases/(?:download|latest)|cmd)\b|packages\.stripe\.dev/stripe-cli",
    re.MULTILINE,
)
_BETWEEN_WORDS = re.compile(r"[^\w/.:$-]+")


def find(path: Path, code: str, *, is_shell: bool = False) -> Iterator[Detection]:
    """Yield the calls in ``code``, from which comments have been blanked out."""
    code = blank_long_lines(code)
    patterns = [_IN_SHELL, _INSTALLED_IN_SHELL] if is_shell else [_IN_CODE]
    if path.name == "package.json":
        patterns.append(_IN_NPM_SCRIPT)
    for pattern in patterns:
        for match in pattern.finditer(code):
            group = match.lastgroup or 0
            yield Detection(STRIPE_COMMAND, match.start(group), _BETWEEN_WORDS.sub(" ", match[group]).strip())
