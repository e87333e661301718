import pytest

from routing.errors import InvalidIdentifier
from routing.identifiers import BotId


def test_the_domain_is_stripe_unless_it_is_named():
    assert BotId.parse("finance:router") == BotId("stripe", "finance", "router")
    assert BotId.parse("other:finance:router") == BotId("other", "finance", "router")


def test_an_identifier_prints_in_full():
    assert str(BotId.parse("finance:router")) == "stripe:finance:router"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "finance",
        ":",
        "a:",
        ":b",
        "a:b:c:d",
        "a b:c",
        "Finance:router",
        "finance:róuter",
        "finance:router\n",
        "finance:-router",
        "finance:router_",
        "a:" + "b" * 65,
        "finance:router ",
        None,
        7,
        ["finance:router"],
        "a::b",
    ],
)
def test_an_invalid_bot_is_refused_with_a_value_error_too(text):
    with pytest.raises(InvalidIdentifier) as caught:
        BotId.parse(text)

    assert isinstance(caught.value, (RuntimeError, ValueError))


def test_a_key_passed_as_a_name_is_not_repeated():
    key = "sk_live_" + "a1" * 12

    with pytest.raises(InvalidIdentifier) as caught:
        BotId.parse(f"finance:{key}!")

    assert key not in str(caught.value)
