"""How each language except Python writes comments, types and imports of Stripe's SDK."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_STRING = r"""(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"""
_HASH = r"(?:(?<=\s)|^)\#[^\n]*"
_SLASHES = r"(?<!:)//[^\n]*|/\*[\s\S]*?\*/"  # after a colon they belong to a URL

_SLASH_COMMENTS = re.compile(rf"{_STRING}|{_SLASHES}|<!--[\s\S]*?-->")
_HASH_COMMENTS = re.compile(rf"{_STRING}|{_HASH}", re.MULTILINE)
_BOTH_COMMENTS = re.compile(rf"{_STRING}|{_SLASHES}|{_HASH}", re.MULTILINE)
_NO_COMMENTS = re.compile(r"(?P<string>(?!))")

TYPE_ANNOTATION = r"\s*+:\s*+(?:[\w\[\].|]++(?:[ ]++[\w\[\].|]++)*+|(?<=\s))"
"""Between a name and what is assigned to it: a colon and a type, in any language."""

_NPM = r"(?:stripe|@stripe/(?:agent-toolkit|ai-sdk))"
_JAVASCRIPT = re.compile(
    rf"""
    (?: \b(?:from|import) \s* | \b(?:require|import) \s* \( \s* )
    (?P<quote>['"`])
    (?: (?:npm:)? {_NPM} (?:@[^'"`/]+)? (?:/[^'"`]*)?
      | https://[\w.]+/ (?:npm/|v\d+/)? {_NPM} @[^'"`]+ )
    (?P=quote) \s* \)?
    """,
    re.VERBOSE,
)
_GO = re.compile(r'"github\.com/stripe/stripe-go(?:/[^"]*)?"')
_RESOURCES = (
    "Stripe|StripeClient|StripeError|CardError|APIError|ApiRequestor|Account|Balance|Charge|Checkout|Coupon|Customer|"
    "Event|Exception|Invoice|InvoiceItem|PaymentIntent|PaymentMethod|Payout|Plan|Price|Product|Refund|SetupIntent|"
    "Source|Subscription|SubscriptionItem|Token|Transfer|Util|Webhook|WebhookSignature|BillingPortal"
)
_RUBY = re.compile(
    rf"""^[ \t]*require[ \t(]*['"]stripe(?:/[^'"]*)?['"]|(?<![:\w])Stripe(?:::(?:{_RESOURCES})\b|\.api_key\b)""",
    re.MULTILINE,
)
_PHP = re.compile(rf"\buse\s+\\?Stripe\\[A-Z]\w*|(?<![\w\\])\\?Stripe\\(?:{_RESOURCES})\b")
_JVM = re.compile(r"^[ \t]*import\s+(?:static\s+)?com\.stripe\.(?!android\b|stripeterminal\b)[\w.*]+", re.MULTILINE)
_CSHARP = re.compile(r"^[ \t]*(?:global\s+)?using\s+(?:static\s+|\w+\s*=\s*)?Stripe(?:\.\w+)*\s*;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Language:
    """``is_settings``: its files hold values, not code. ``is_shell``: its strings need no quotes."""

    comments: re.Pattern[str]
    imports: re.Pattern[str] | None = None
    is_settings: bool = False
    is_shell: bool = False

    def blank_comments(self, text: str) -> str:
        """Return the text with comments replaced by spaces, so that every offset stays the same."""
        return self.comments.sub(lambda match: match[0] if match["string"] else blank(match[0]), text)


JAVASCRIPT = Language(_SLASH_COMMENTS, _JAVASCRIPT)
SHELL = Language(_HASH_COMMENTS, is_shell=True)

_BY_SUFFIXES = {
    ".js .jsx .ts .tsx .mjs .cjs .mts .cts .vue .svelte .astro .coffee": JAVASCRIPT,
    ".go": Language(_SLASH_COMMENTS, _GO),
    ".rb .rake .ru .gemspec": Language(_HASH_COMMENTS, _RUBY),
    ".php .phtml": Language(_BOTH_COMMENTS, _PHP),
    ".java .kt .kts .scala .groovy .clj": Language(_SLASH_COMMENTS, _JVM),
    ".cs": Language(_SLASH_COMMENTS, _CSHARP),
    ".c .cc .cpp .h .hpp .rs .swift .dart .m": Language(_SLASH_COMMENTS),
    ".ex .exs .pl .pm .r .jl .nim .lua": Language(_HASH_COMMENTS),
    ".sh .bash .zsh .fish .ps1 .mk": SHELL,
    ".yaml .yml": Language(_HASH_COMMENTS, is_settings=True, is_shell=True),
    ".toml .env .ini .cfg .conf .properties": Language(_HASH_COMMENTS, is_settings=True),
    ".tf .hcl .tfvars .bru": Language(_BOTH_COMMENTS, is_settings=True),
    ".json .jsonc .json5 .http": Language(_NO_COMMENTS, is_settings=True),
}
_LANGUAGES = {suffix: language for suffixes, language in _BY_SUFFIXES.items() for suffix in suffixes.split()}
_SHELL_NAMES = re.compile(
    r"(?:Dockerfile|Containerfile|Makefile|Jenkinsfile|Procfile|Justfile)(?:\..+)?", re.IGNORECASE
)
_RUBY_NAMES = frozenset({"Gemfile", "Rakefile", "Vagrantfile"})
_ENV_FILE_NAMES = re.compile(r"\.env(?:\..+)?|.+\.env")
_SCRIPT_ELEMENT = re.compile(r"<script\b[^>]*>([\s\S]*?)</script", re.IGNORECASE)
_HTML_SUFFIXES = frozenset({".html", ".htm", ".erb", ".ejs", ".jinja", ".jinja2", ".j2", ".hbs", ".liquid"})


def detect(path: Path, text: str) -> Language | None:
    """Return None for prose and data, which are searched for keys alone."""
    if _SHELL_NAMES.fullmatch(path.name):
        return SHELL
    if path.name in _RUBY_NAMES:
        return _LANGUAGES[".rb"]
    if _ENV_FILE_NAMES.fullmatch(path.name):
        return _LANGUAGES[".env"]
    suffix = path.suffix.lower()
    if not suffix and text.startswith("#!"):
        return SHELL if re.match(r"#!.*\b(?:ba|z|da|k)?sh\b", text) else None
    return JAVASCRIPT if suffix in _HTML_SUFFIXES else _LANGUAGES.get(suffix)


def extract_code(path: Path, text: str, language: Language) -> str:
    """Return the text with spaces for what does not run: comments, and in HTML everything outside scripts."""
    if path.suffix.lower() in _HTML_SUFFIXES:
        text = _extract_scripts(text)
    return language.blank_comments(text)


def blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _extract_scripts(html: str) -> str:
    code = blank(html)
    for script in _SCRIPT_ELEMENT.finditer(html):
        code = code[: script.start(1)] + script[1] + code[script.end(1) :]
    return code
