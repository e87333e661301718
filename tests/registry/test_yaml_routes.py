"""The meaning of a routes file: what it wants, and what is refused, with its line and column."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from routing.identifiers import BotId
from routing.registry.rules import Period
from routing.registry.yaml.document import read_document
from routing.registry.yaml.routes import read_registry
from routing.registry.yaml.rules import PeriodFields, Qualifier, RuleKey

BOT = BotId("stripe", "finance", "bot")
ROUTE = "product_id: prod_a, price_id: price_a, customer_id: cus_a"
LAST_DAY = "valid_from: 2026-12-31T00:00Z"
NEWLINE = "\n"
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def read(content: str):
    root, syntax_problems = read_document(content.encode(), lambda *_: None)
    desired, problems = read_registry(root)
    return desired, syntax_problems + problems


def within_bot(body: str, mark: str = "", *, region: str = "default") -> str:
    return f"stripe:\n  {region}:\n    finance:\n      {mark}bot: {body}\n"


def refusals(content: str) -> list[str]:
    return [str(problem) for problem in read(content)[1]]


def periods(content: str) -> dict[RuleKey, tuple[PeriodFields, ...]]:
    desired, problems = read(content)
    assert problems == []
    return {key: rule.periods for key, rule in desired.rules.items()}


def test_a_route_without_a_currency_is_in_usd():
    found = periods(within_bot(f"{{{ROUTE}}}"))

    assert found == {RuleKey(BOT, "default"): (PeriodFields(Period(), ("prod_a", "price_a", "cus_a", "usd")),)}


def test_an_override_under_a_region_is_for_that_region():
    found = periods(within_bot("{overrides: {business: {enterprise: {price_id: price_b}}}}", region="eu"))

    key = RuleKey(BOT, "eu", Qualifier("business", "enterprise"))
    assert found == {key: (PeriodFields(Period(), (None, "price_b", None, None)),)}


def test_an_override_under_the_asterisk_is_for_every_region():
    found = periods(within_bot("{overrides: {business: {enterprise: {currency: EUR}}}}", region='"*"'))

    key = RuleKey(BOT, None, Qualifier("business", "enterprise"))
    assert found == {key: (PeriodFields(Period(), (None, None, None, "eur")),)}


def test_periods_replace_the_fields():
    found = periods(
        within_bot(
            f"{{periods: [{{{ROUTE}, valid_from: 2027-01-01T00:00:00Z}},"
            f" {{{ROUTE}, valid_until: '2027-01-01T01:00:00+01:00'}}]}}"
        )
    )

    assert [fields.period for fields in found[RuleKey(BOT, "default")]] == [
        Period(None, NEW_YEAR),
        Period(NEW_YEAR, None),
    ]


def test_words_with_a_meaning_in_yaml_are_ordinary_names():
    desired, problems = read(f"no:\n  12-30:\n    on:\n      '12': {{{ROUTE}}}\n")

    assert problems == []
    assert list(desired.rules) == [RuleKey(BotId("no", "on", "12"), "12-30")]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("^- stripe", "The file must start with a domain"),
        ("^stripe", "The file must start with a domain"),
        ("^stripe: {}", "'stripe' must contain a region such as 'default'"),
        ("stripe: {^eu: x}", "'eu' must contain a business category such as 'finance'"),
        ("^NO: {eu: {a: {b: {c: d}}}}", "The domain 'NO' is not valid."),
        ("stripe: {eu: {finance: {^my bot: {c: d}}}}", "The bot name 'my bot' is not valid."),
        ("stripe: {eu: {finance: {^bot: []}}}", "'bot' must contain a route's fields or overrides"),
        (within_bot("{price_id: price_a}", "^"), "The route needs product_id and customer_id."),
        (within_bot(f"{{{ROUTE}, ^prize_id: x}}"), "There is no field 'prize_id'. Did you mean price_id?"),
        (within_bot(f"{{{ROUTE}, currency: ^xxx}}"), "'xxx' is not a currency that Stripe supports."),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^1.2")), "price_id '1.2' is not the ID of a price."),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^prod_a")), "price_id 'prod_a' is not the ID of a price."),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^price_" + 250 * "a")), "price_id 'price_aaaa"),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^[price_a]")), "price_id must be a string on the same line."),
        (within_bot(f"{{{ROUTE}, valid_from: ^2027-01-01T00:00}}"), "valid_from '2027-01-01T00:00' is not a time."),
        (within_bot(f"{{{ROUTE}, valid_from: ^'0001-01-01T00:00+14:00'}}"), "valid_from '0001-01-01T00:00+14:00' is"),
        (
            within_bot(f"{{{ROUTE}, {LAST_DAY}, ^valid_until: 2026-12-31T00:00Z}}"),
            "valid_until must be after valid_from.",
        ),
        (within_bot(f"{{periods: [{{{ROUTE}}}], ^currency: usd}}"), "'currency' is not allowed next to 'periods'."),
        (within_bot(f"{{^periods: {{{ROUTE}}}}}"), "'periods' must be a list"),
        (within_bot("{overrides: {^region: {eu: {price_id: price_b}}}}"), "An override's key cannot be 'region'"),
        (within_bot(f"{{overrides: {{a: {{^b: {{{LAST_DAY}}}}}}}}}"), "The override changes nothing."),
        (
            within_bot("{^price_id: price_a}", region='"*"'),
            "'price_id' is not allowed here: the region '*' contains only overrides",
        ),
    ],
)
def test_what_is_not_a_route_is_refused_with_its_position(content, refusal):
    """The mark ``^`` shows the position, and is removed."""
    before = content.partition("^")[0]
    place = f"line {before.count(NEWLINE) + 1}, column {len(before) - before.rfind(NEWLINE)}"

    [found] = refusals(content.replace("^", ""))

    assert found.startswith(f"{place}: {refusal}")


def test_periods_of_one_route_that_overlap_are_refused():
    periods = f"{{periods: [{{{ROUTE}, valid_until: 2027-01-01T00:00Z}}, {{{ROUTE}, {LAST_DAY}}}]}}"

    [refusal] = refusals(within_bot(periods))

    assert refusal.startswith("line 4, column 7: Two periods of stripe/default/finance/bot overlap: ")


def test_an_invalid_period_is_not_compared_with_the_others():
    periods = f"{{periods: [{{{ROUTE}, valid_until: 2027-01-01T00:00Z}}, {{{ROUTE}, valid_from: soon}}]}}"

    [refusal] = refusals(within_bot(periods))

    assert "valid_from 'soon' is not a time." in refusal


@pytest.mark.parametrize("field", ["secret_key", "public_key", "Secret_Key"])
def test_a_field_for_a_key_is_refused_and_its_value_not_shown(field):
    [refusal] = refusals(within_bot(f"{{{ROUTE}, {field}: hush}}"))

    assert f"{field} is not accepted. Remove it: keys are stored in Vault only." in refusal
    assert "hush" not in refusal


@pytest.mark.parametrize(
    "content",
    [
        within_bot(f"{{{ROUTE}, KEY: x}}"),
        within_bot(f"{{{ROUTE}, currency: KEY}}"),
        within_bot(f"{{{ROUTE}, valid_from: KEY}}"),
        within_bot("{product_id: prod_KEY, price_id: price_a, customer_id: cus_a}"),
        within_bot("{overrides: {business: {KEY: {price_id: price_a}}}}"),
        within_bot(f"{{{ROUTE}}}", region="KEY"),
        f"KEY: {{eu: {{finance: {{bot: {{{ROUTE}}}}}}}}}",
        f"stripe: {{eu: {{finance: {{KEY: {{{ROUTE}}}}}}}}}",
    ],
)
def test_a_key_is_refused_wherever_it_is_and_never_shown(content, live_key):
    [refusal] = refusals(content.replace("KEY", live_key))

    assert "looks like a key or a token. Remove it" in refusal
    assert live_key not in refusal


def test_every_problem_is_reported_even_those_before_a_syntax_error():
    found = refusals(
        "stripe:\n  default:\n    finance:\n"
        "      one: {product_id: prod_a, price_id: b%, customer_id: cus_a}\n"
        "      TWO: {}\n"
        f"      three: {{{ROUTE}, colour: red}}\n"
        "      four:\n        product_id: prod_a\n        price_id: [\n"
    )

    assert [refusal.partition(",")[0] for refusal in sorted(found)] == ["line 10", "line 4", "line 5", "line 6"]
