"""What every page of the admin has in common."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from routing.access import tokens
from routing.access.models import BotToken
from routing.admin.search import search
from routing.admin.site import navigation
from routing.payments.kinds import Kind
from routing.payments.states import Status
from routing.registry import snapshot
from routing.registry.models import Bot, Domain, Override, Region, Route

pytestmark = pytest.mark.django_db

LISTS = [
    "routing_domain", "routing_region", "routing_category", "routing_bot", "routing_route", "routing_override",
    "routing_payment", "routing_pause", "routing_bottoken", "auth_user", "auth_group",
]  # fmt: skip

CHECK_CALL = "/admin/routing/bot/check-call/"
KEY_SHAPED = re.compile(r"(sk|rk|pk)_live_\w{10}|whsec_\w|hvs\.\w|brt_[0-9a-f]{12}_[\w-]{10}")


@pytest.fixture
def token(bot: Bot) -> BotToken:
    tokens.issue("Invoices", [str(bot)], ["charge"])
    return BotToken.objects.get()


@pytest.mark.parametrize("model", LISTS)
def test_every_list_loads_with_few_queries(finance, bot, payment, token, django_assert_max_num_queries, model):
    payment()
    regions = Region.objects.bulk_create(Region(slug=f"r{number}") for number in range(20))
    others = Bot.objects.bulk_create(Bot(domain=bot.domain, category=bot.category, name=f"b{n}") for n in range(20))
    for other in others:
        Route.objects.bulk_create(
            Route(bot=other, region=region, product_id="prod_A", price_id="price_A", customer_id="cus_A")
            for region in regions[:2]
        )

    with django_assert_max_num_queries(16):
        answer = finance.get(reverse(f"admin:{model}_changelist"))

    assert answer.status_code == 200


@pytest.mark.parametrize("model", LISTS)
def test_every_search_works(finance, bot, token, model):
    assert finance.get(reverse(f"admin:{model}_changelist"), {"q": "in"}).status_code == 200


@pytest.mark.parametrize("model", ["domain", "region", "category", "bot", "route", "override"])
def test_every_registry_form_opens(finance, model):
    assert finance.get(reverse(f"admin:routing_{model}_add")).status_code == 200


def test_a_viewer_sees_and_cannot_change(viewer, bot):
    page = reverse("admin:routing_bot_change", args=[bot.pk])

    seen = viewer.get(page)
    statuses = {
        viewer.post(page, {"owner": "me"}).status_code,
        viewer.post(reverse("admin:routing_bot_pause", args=[bot.pk]), {"confirmed": "yes"}).status_code,
        viewer.post(reverse("admin:routing_bot_delete", args=[bot.pk]), {"post": "yes"}).status_code,
        viewer.post(
            reverse("admin:routing_route_change", args=[bot.routes.get().pk]), {"price_id": "price_X"}
        ).status_code,
    }
    viewer.post(
        reverse("admin:routing_bot_changelist"),
        {"action": "pause_selected", "_selected_action": bot.pk, "confirmed": "yes"},
    )

    assert "price_A1" in seen.content.decode()
    assert 'name="_save"' not in seen.content.decode()
    assert statuses == {403}
    bot.refresh_from_db()
    assert (bot.owner, bot.is_paused, bot.routes.get().price_id) == ("", False, "price_A1")


@pytest.mark.parametrize("address", ["/admin/", "/admin/routing/bot/", CHECK_CALL, "/admin/password_change/"])
def test_every_page_of_a_sandbox_says_so(finance, address):
    assert "<strong>SANDBOX</strong>: no real money moves." in finance.get(address).content.decode()


def test_the_login_page_of_a_sandbox_says_so(client):
    assert "<strong>SANDBOX</strong>: no real money moves." in client.get("/admin/login/").content.decode()


@pytest.mark.parametrize(
    "page", ["bot/x/change", "bot/x/pause", "bot/9/check_call", "domain/9/resume", "bottoken/x/revoke"]
)
def test_an_address_that_leads_nowhere_is_no_error_of_the_server(finance, page):
    assert finance.get(f"/admin/routing/{page}/").status_code in (302, 404)


def test_production_has_no_sandbox_banner(finance, settings):
    settings.IS_SANDBOX = False

    assert "SANDBOX" not in finance.get("/admin/").content.decode()


def test_a_visitor_without_a_login_sees_nothing(client, bot):
    for address in ("/admin/", CHECK_CALL, f"/admin/routing/bot/{bot.pk}/pause/"):
        assert client.get(address).status_code == 302


def test_no_page_shows_a_token_or_its_digest(finance, token, bot, payment):
    charge = payment()
    pages = ["/admin/", *(reverse(f"admin:{model}_changelist") for model in LISTS)]
    pages += [reverse("admin:routing_bottoken_change", args=[token.pk])]
    pages += [
        reverse("admin:routing_bot_change", args=[bot.pk]),
        reverse("admin:routing_payment_change", args=[charge.pk]),
    ]

    for address in pages:
        page = finance.get(address).content.decode()

        assert token.digest.hex() not in page
        assert str(bytes(token.digest)) not in page
        assert not KEY_SHAPED.search(page)


def test_a_token_is_revoked_after_a_question(finance, token):
    address = reverse("admin:routing_bottoken_revoke", args=[token.pk])

    question = finance.get(address)
    before = BotToken.objects.get().revoked_at
    finance.post(address, {"confirmed": "yes"})

    assert "This cannot be undone" in question.content.decode()
    assert before is None
    assert BotToken.objects.get().revoked_at is not None


def test_the_overview_adds_up_each_currency_by_itself(finance, payment, django_assert_max_num_queries):
    refunded = payment()
    payment()
    payment(amount_minor=500, currency="jpy")
    payment(status=Status.DECLINED)
    payment(status=Status.NEEDS_REVIEW, settled_at=None)
    payment(kind=Kind.CUSTOMER, amount_minor=None, currency="")
    payment(kind=Kind.REFUND, amount_minor=1000, refund_of=refunded)

    with django_assert_max_num_queries(16):
        context = finance.get("/admin/").context

    lines = {card.title: card.lines for card in context["cards"]}
    assert lines["Charged today"] == ("500 JPY", "2,469.00 USD")
    assert next(shown for title, shown in lines.items() if title.startswith("Refunded in")) == ("10.00 USD",)
    assert lines["Declined or rejected today"] == ("1",)
    assert lines["Unknown outcome"] == ("0",)
    assert lines["Needs review"] == ("1",)


@pytest.mark.parametrize(
    ("title", "count"),
    [
        ("Charged today", 3),
        ("Charged in", 3),
        ("Refunded in", 2),
        ("Declined or rejected today", 4),
        ("Unknown outcome", 1),
        ("Needs review", 1),
    ],
)
def test_every_number_of_the_overview_leads_to_exactly_its_payments(finance, payment, title, count):
    charged = payment()
    payment(kind=Kind.RENEWAL)
    payment(kind=Kind.INVOICE)
    for outcome in (Status.DECLINED, Status.REJECTED):
        payment(status=outcome)
        payment(kind=Kind.REFUND, status=outcome, amount_minor=300, refund_of=charged)
    for is_reversed in (False, False, True):
        payment(kind=Kind.REFUND, amount_minor=300, refund_of=charged, is_reversed=is_reversed)
    for outcome in (Status.UNKNOWN, Status.NEEDS_REVIEW):
        payment(status=outcome, settled_at=None)
    payment(kind=Kind.CUSTOMER, amount_minor=None, currency="")
    [card] = [card for card in finance.get("/admin/").context["cards"] if card.title.startswith(title)]

    answer = finance.get(card.link)

    assert len(answer.context["cl"].result_list) == count
    assert str(count) in (card.lines[0], card.note.split(" ")[0])


def test_the_overview_shows_nobody_more_than_they_may_see(client, payment):
    payment()
    client.force_login(User.objects.create_user("newcomer", is_staff=True))

    page = client.get("/admin/").content.decode()

    assert "1,234.50" not in page
    assert "You do not have permission to see payments or bots." in page


def test_the_overview_names_what_is_paused(finance, bot):
    Domain.objects.update(is_paused=True)

    assert "Domain stripe" in finance.get("/admin/").content.decode()


def _found(rf, user: User, term: str) -> list[str]:
    request = rf.get("/admin/search/", {"s": term})
    request.user = user
    return [result.title for result in search(request, term.lower())]


def test_ctrl_k_finds_bots_once_and_payments_by_their_exact_ids(rf, admin_user, bot, payment):
    Override.objects.create(bot=bot, key="tier", value="gold", price_id="price_A1")
    charge = payment(payment_intent_id="pi_MixedCase1")

    assert _found(rf, admin_user, "finance:invoicer") == ["stripe:finance:invoicer"]
    assert _found(rf, admin_user, "price_A1")[0] == "stripe:finance:invoicer"
    assert _found(rf, admin_user, "pi_MixedCase1") == [f"Charge {charge.pk} of 1,234.50 USD"]


def test_ctrl_k_finds_nothing_that_one_may_not_see(rf, bot, payment):
    charge = payment()
    newcomer = User.objects.create_user("newcomer", is_staff=True)

    assert _found(rf, newcomer, "invoicer") + _found(rf, newcomer, str(charge.pk)) == []


def test_the_navigation_offers_what_one_may_see(rf, viewer):
    request = rf.get("/admin/")
    request.user = User.objects.get(username="viewer")

    items = [item for group in navigation(request) for item in group["items"]]

    shown = [item["title"] for item in items if item.get("permission", lambda _: True)(request)]
    assert "Payments" in shown
    assert "Users" not in shown
    assert all(viewer.get(item["link"]).status_code == 200 for item in items if item["title"] in shown)


@pytest.mark.django_db(transaction=True)
class TestCheckingACall:
    """It reads the registry as charges do, over a connection of its own."""

    @pytest.fixture(autouse=True)
    def _fresh(self, bot: Bot) -> None:  # noqa: ARG002 (for its effect)
        snapshot.reload(snapshot.current())

    def test_a_call_that_has_a_route_is_explained(self, finance):
        page = finance.get(CHECK_CALL, {"bot": "finance:invoicer", "qualifiers": "business=enterprise"})

        text = page.content.decode()
        assert "The call would use this route" in text
        assert "price_B2" in text
        assert "it sets price" in text

    def test_a_call_that_would_be_refused_says_why(self, finance):
        page = finance.get(CHECK_CALL, {"bot": "finance:invoicer", "qualifiers": "business=unheard"})

        assert "has no override for business=unheard" in page.content.decode()

    def test_what_was_typed_wrong_is_explained_beside_the_field(self, finance):
        page = finance.get(CHECK_CALL, {"bot": "invoicer", "qualifiers": "enterprise"})

        assert list(page.context["form"].errors) == ["bot", "qualifiers"]
