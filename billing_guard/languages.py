"""How each language but Python writes a comment, and how it takes in Stripe's SDK."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_STRING = r"""(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"""
_HASH = r"(?:(?<=\s)|^)\#[^\n]*"
_SLASHES = r"(?<!:)//[^\n]*|/\*[\s\S]*?\*/"  # after a colon they belong to an address

_WITH_SLASHES = re.compile(rf"{_STRING}|{_SLASHES}|<!--[\s\S]*?-->")
_WITH_HASH = re.compile(rf"{_STRING}|{_HASH}", re.MULTILINE)
_WITH_BOTH = re.compile(rf"{_STRING}|{_SLASHES}|{_HASH}", re.MULTILINE)
_WITH_NONE = re.compile(r"(?P<string>(?!))")

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
    """``is_settings``: it holds values rather than code; ``is_shell``: its addresses need no quotes."""

    comments: re.Pattern[str]
    imports: re.Pattern[str] | None = None
    is_settings: bool = False
    is_shell: bool = False

    def without_comments(self, text: str) -> str:
        """Return the text with each comment's characters as spaces, so that everything else stays where it is."""
        return self.comments.sub(lambda found: found[0] if found["string"] else blank(found[0]), text)


JAVASCRIPT = Language(_WITH_SLASHES, _JAVASCRIPT)
SHELL = Language(_WITH_HASH, is_shell=True)

_BY_SUFFIXES = {
    ".js .jsx .ts .tsx .mjs .cjs .mts .cts .vue .svelte .astro .coffee": JAVASCRIPT,
    ".go": Language(_WITH_SLASHES, _GO),
    ".rb .rake .ru .gemspec": Language(_WITH_HASH, _RUBY),
    ".php .phtml": Language(_WITH_BOTH, _PHP),
    ".java .kt .kts .scala .groovy .clj": Language(_WITH_SLASHES, _JVM),
    ".cs": Language(_WITH_SLASHES, _CSHARP),
    ".c .cc .cpp .h .hpp .rs .swift .dart .m": Language(_WITH_SLASHES),
    ".ex .exs .pl .pm .r .jl .nim .lua": Language(_WITH_HASH),
    ".sh .bash .zsh .fish .ps1 .mk": SHELL,
    ".yaml .yml": Language(_WITH_HASH, is_settings=True, is_shell=True),
    ".toml .env .ini .cfg .conf .properties": Language(_WITH_HASH, is_settings=True),
    ".tf .hcl .tfvars .bru": Language(_WITH_BOTH, is_settings=True),
    ".json .jsonc .json5 .http": Language(_WITH_NONE, is_settings=True),
}
_LANGUAGES = {suffix: language for suffixes, language in _BY_SUFFIXES.items() for suffix in suffixes.split()}
_SHELL_NAMES = re.compile(
    r"(?:Dockerfile|Containerfile|Makefile|Jenkinsfile|Procfile|Justfile)(?:\..+)?", re.IGNORECASE
)
_RUBY_NAMES = frozenset({"Gemfile", "Rakefile", "Vagrantfile"})
_ENVIRONMENT = re.compile(r"\.env(?:\..+)?|.+\.env")
_SCRIPT = re.compile(r"<script\b[^>]*>([\s\S]*?)</script", re.IGNORECASE)
_PAGES = frozenset({".html", ".htm", ".erb", ".ejs", ".jinja", ".jinja2", ".j2", ".hbs", ".liquid"})


def language_of(path: Path, text: str) -> Language | None:
    """Return None for prose and data, in which only keys are looked for."""
    if _SHELL_NAMES.fullmatch(path.name):
        return SHELL
    if path.name in _RUBY_NAMES:
        return _LANGUAGES[".rb"]
    if _ENVIRONMENT.fullmatch(path.name):
        return _LANGUAGES[".env"]
    suffix = path.suffix.lower()
    if not suffix and text.startswith("#!"):
        return SHELL if re.match(r"#!.*\b(?:ba|z|da|k)?sh\b", text) else None
    return JAVASCRIPT if suffix in _PAGES else _LANGUAGES.get(suffix)


def code_of(path: Path, text: str, language: Language) -> str:
    """Return the text with everything that is not run as spaces: comments, and a page outside of its scripts."""
    if path.suffix.lower() in _PAGES:
        shown = blank(text)
        for script in _SCRIPT.finditer(text):
            shown = shown[: script.start(1)] + script[1] + shown[script.end(1) :]
        text = shown
    return language.without_comments(text)


def blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
