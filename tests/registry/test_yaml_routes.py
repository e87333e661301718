"""The meaning of a routes file: what it wants, and what is refused, with its line and column."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from routing.identifiers import BotId
from routing.registry.rules import Period
from routing.registry.yaml.document import read_document
from routing.registry.yaml.routes import read_wanted
from routing.registry.yaml.rules import Place, Qualifier, Term

BOT = BotId("stripe", "finance", "bot")
ROUTE = "product_id: prod_a, price_id: price_a, customer_id: cus_a"
LAST_DAY = "valid_from: 2026-12-31T00:00Z"
NEWLINE = "\n"
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def read(content: str):
    root, of_form = read_document(content.encode(), lambda *_: None)
    wanted, of_meaning = read_wanted(root)
    return wanted, of_form + of_meaning


def within_bot(body: str, mark: str = "", *, region: str = "default") -> str:
    return f"stripe:\n  {region}:\n    finance:\n      {mark}bot: {body}\n"


def refusals(content: str) -> list[str]:
    return [str(problem) for problem in read(content)[1]]


def terms(content: str) -> dict[Place, tuple[Term, ...]]:
    wanted, problems = read(content)
    assert problems == []
    return {place: rule.terms for place, rule in wanted.rules.items()}


def test_a_route_takes_usd_where_no_currency_is_given():
    found = terms(within_bot(f"{{{ROUTE}}}"))

    assert found == {Place(BOT, "default"): (Term(Period(), ("prod_a", "price_a", "cus_a", "usd")),)}


def test_an_override_under_a_region_is_that_regions_own():
    found = terms(within_bot("{overrides: {business: {enterprise: {price_id: price_b}}}}", region="eu"))

    place = Place(BOT, "eu", Qualifier("business", "enterprise"))
    assert found == {place: (Term(Period(), (None, "price_b", None, None)),)}


def test_an_override_under_the_star_is_every_regions():
    found = terms(within_bot("{overrides: {business: {enterprise: {currency: EUR}}}}", region='"*"'))

    place = Place(BOT, None, Qualifier("business", "enterprise"))
    assert found == {place: (Term(Period(), (None, None, None, "eur")),)}


def test_periods_stand_in_place_of_the_fields():
    found = terms(
        within_bot(
            f"{{periods: [{{{ROUTE}, valid_from: 2027-01-01T00:00:00Z}},"
            f" {{{ROUTE}, valid_until: '2027-01-01T01:00:00+01:00'}}]}}"
        )
    )

    assert [term.period for term in found[Place(BOT, "default")]] == [Period(None, NEW_YEAR), Period(NEW_YEAR, None)]


def test_words_that_yaml_has_meanings_for_are_names_like_any_other():
    wanted, problems = read(f"no:\n  12-30:\n    on:\n      '12': {{{ROUTE}}}\n")

    assert problems == []
    assert list(wanted.rules) == [Place(BotId("no", "on", "12"), "12-30")]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("^- stripe", "The file must begin with a domain"),
        ("^stripe", "The file must begin with a domain"),
        ("^stripe: {}", "'stripe' must hold a region such as 'default'"),
        ("stripe: {^eu: x}", "'eu' must hold a business category such as 'finance'"),
        ("^NO: {eu: {a: {b: {c: d}}}}", "The domain 'NO' is not valid."),
        ("stripe: {eu: {finance: {^my bot: {c: d}}}}", "The bot name 'my bot' is not valid."),
        ("stripe: {eu: {finance: {^bot: []}}}", "'bot' must hold a route's fields or overrides"),
        (within_bot("{price_id: price_a}", "^"), "The route has no product_id and no customer_id."),
        (within_bot(f"{{{ROUTE}, ^prize_id: x}}"), "There is no field 'prize_id'. Did you mean price_id?"),
        (within_bot(f"{{{ROUTE}, currency: ^xxx}}"), "'xxx' is not a currency that can be charged."),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^12")), "price_id '12' is not one of Stripe's ids."),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^prod_a")), "price_id 'prod_a' is not one of Stripe's ids."),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^price_" + 250 * "a")), "price_id 'price_aaaa"),
        (within_bot(f"{{{ROUTE}}}".replace("price_a", "^[price_a]")), "price_id must be a text, on the same line."),
        (within_bot(f"{{{ROUTE}, valid_from: ^2027-01-01T00:00}}"), "valid_from '2027-01-01T00:00' is not a moment."),
        (within_bot(f"{{{ROUTE}, valid_from: ^'0001-01-01T00:00+14:00'}}"), "valid_from '0001-01-01T00:00+14:00' is"),
        (
            within_bot(f"{{{ROUTE}, {LAST_DAY}, ^valid_until: 2026-12-31T00:00Z}}"),
            "valid_until must be after valid_from.",
        ),
        (within_bot(f"{{periods: [{{{ROUTE}}}], ^currency: usd}}"), "'currency' cannot stand beside 'periods'."),
        (within_bot(f"{{^periods: {{{ROUTE}}}}}"), "'periods' must hold a list"),
        (within_bot("{overrides: {^region: {eu: {price_id: price_b}}}}"), "An override's key cannot be 'region'"),
        (within_bot(f"{{overrides: {{a: {{^b: {{{LAST_DAY}}}}}}}}}"), "The override changes nothing."),
        (
            within_bot("{^price_id: price_a}", region='"*"'),
            "'price_id' cannot stand here: the region '*' holds overrides",
        ),
    ],
)
def test_what_is_no_route_is_refused_where_it_stands(content, refusal):
    """The mark ``^`` shows where, and is taken out."""
    before = content.partition("^")[0]
    place = f"line {before.count(NEWLINE) + 1}, column {len(before) - before.rfind(NEWLINE)}"

    [found] = refusals(content.replace("^", ""))

    assert found.startswith(f"{place}: {refusal}")


def test_periods_of_one_route_that_overlap_are_refused():
    periods = f"{{periods: [{{{ROUTE}, valid_until: 2027-01-01T00:00Z}}, {{{ROUTE}, {LAST_DAY}}}]}}"

    [refusal] = refusals(within_bot(periods))

    assert refusal.startswith("line 4, column 7: Two periods of stripe/default/finance/bot overlap: ")


def test_a_period_that_is_wrong_is_not_compared_with_the_others():
    periods = f"{{periods: [{{{ROUTE}, valid_until: 2027-01-01T00:00Z}}, {{{ROUTE}, valid_from: soon}}]}}"

    [refusal] = refusals(within_bot(periods))

    assert "valid_from 'soon' is not a moment." in refusal


@pytest.mark.parametrize("field", ["secret_key", "public_key", "Secret_Key"])
def test_a_field_for_a_key_is_refused_and_its_value_not_shown(field):
    [refusal] = refusals(within_bot(f"{{{ROUTE}, {field}: hush}}"))

    assert f"{field} may not be given. Take it out: keys live in Vault alone." in refusal
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
def test_a_key_is_refused_wherever_it_stands_and_never_shown(content, live_key):
    [refusal] = refusals(content.replace("KEY", live_key))

    assert "looks like a Stripe or Vault key. Take it out" in refusal
    assert live_key not in refusal


def test_every_problem_is_reported_even_those_before_the_file_breaks_off():
    found = refusals(
        "stripe:\n  default:\n    finance:\n"
        "      one: {product_id: prod_a, price_id: b, customer_id: cus_a}\n"
        "      TWO: {}\n"
        f"      three: {{{ROUTE}, colour: red}}\n"
        "      four:\n        product_id: prod_a\n        price_id: [\n"
    )

    assert [refusal.partition(",")[0] for refusal in sorted(found)] == ["line 10", "line 4", "line 5", "line 6"]
