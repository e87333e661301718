"""Charges and payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.access import tokens
from routing.caps.models import Cap
from routing.payments.settlement.recovery import settle_open
from routing.registry import snapshot
from routing.registry.models import Domain, Route
from tests.api.examples import BOT, Examples

if TYPE_CHECKING:
    from tests.api.examples import Api

examples = Examples()


@examples.add("POST /api/v1/charges", 200)
def dry_run(api: Api) -> Any:
    Cap.objects.create(measure="gross", per="day", currency="usd", limit=5000)
    return api.post("/charges?dry_run=true", amount="20.00")


@examples.add("POST /api/v1/charges", 201)
def charge_of_an_amount(api: Api) -> Any:
    Cap.objects.create(measure="gross", per="day", currency="usd", limit=100_00)
    Cap.objects.create(measure="count", per="month", limit=5)
    return api.charge(description="One seat", metadata={"order": "4711"}, overrides={"business": "enterprise"})


@examples.add("POST /api/v1/charges", 201)
def charge_of_a_price(api: Api) -> Any:
    return api.post("/charges", quantity=2)


@examples.add("POST /api/v1/charges", 201)
def charge_with_the_same_key_again(api: Api) -> Any:
    api.charge()
    return api.charge()


@examples.add("POST /api/v1/charges", 202)
def charge_with_an_unknown_outcome(api: Api) -> Any:
    api.stripe.control.fault("reset_after", path="/v1/payment_intents")
    return api.charge()


@examples.add("POST /api/v1/charges", 400)
def charge_with_unknown_fields(api: Api) -> Any:
    return api.charge(ammount="10", quantity="2")


@examples.add("POST /api/v1/charges", 400)
def charge_of_an_invalid_amount(api: Api) -> Any:
    return api.charge(amount="1.005")


@examples.add("POST /api/v1/charges", 400)
def charge_without_json(api: Api) -> Any:
    return api.send("POST", "/api/v1/charges", "{")


@examples.add("POST /api/v1/charges", 401)
def charge_without_a_token(api: Api) -> Any:
    return api.as_token("").charge()


@examples.add("POST /api/v1/charges", 402)
def charge_that_is_declined(api: Api) -> Any:
    api.stripe.control.seed_customer(api.stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")
    return api.charge()


@examples.add("POST /api/v1/charges", 403)
def charge_without_the_scope(api: Api) -> Any:
    return api.as_token(tokens.issue("test", ["*"], ["read"])).charge()


@examples.add("POST /api/v1/charges", 201)
def charge_for_another_media_type(api: Api) -> Any:
    return api.send("POST", "/api/v1/charges", {"bot": BOT}, Accept="text/html", **{"Idempotency-Key": "order-html"})


@examples.add("POST /api/v1/charges", 422)
def charge_of_an_unknown_region(api: Api) -> Any:
    return api.charge(overrides={"region": "mars"})


@examples.add("POST /api/v1/charges", 422)
def charge_over_a_cap(api: Api) -> Any:
    Cap.objects.create(measure="gross", per="charge", currency="usd", limit=1_00)
    return api.charge()


@examples.add("POST /api/v1/charges", 422)
def charge_while_paused(api: Api) -> Any:
    Domain.objects.update(is_paused=True)
    return api.charge()


@examples.add("POST /api/v1/charges", 422)
def charge_with_the_key_of_another_request(api: Api) -> Any:
    api.charge()
    return api.charge(amount="11")


@examples.add("POST /api/v1/charges", 422)
def charge_of_a_customer_without_a_payment_method(api: Api) -> Any:
    api.stripe.control.seed_customer(api.stripe.account, "cus_none", card=None)
    Route.objects.update(customer_id="cus_none")
    return api.charge()


@examples.add("POST /api/v1/charges", 503)
def charge_that_stripe_does_not_run(api: Api) -> Any:
    api.stripe.control.fault("status", status=429, path="/v1/payment_intents", count=None)
    return api.charge()


@examples.add("POST /api/v1/charges", 503)
def charge_that_the_key_does_not_permit(api: Api) -> Any:
    api.stripe.control.fault("status", status=403, path="/v1/payment_intents", count=None)
    return api.charge()


@examples.add("POST /api/v1/charges", 409)
def charge_that_was_paused_before_it_was_sent(api: Api) -> Any:
    api.stripe.control.fault("status", status=429, path="/v1/payment_intents", count=None)
    api.charge()
    Domain.objects.update(is_paused=True)
    snapshot._checked_at = float("-inf")
    settle_open()
    return api.charge()


@examples.add("POST /api/v1/charges", 503)
def charge_on_the_wrong_account(api: Api) -> Any:
    Domain.objects.update(account_id="acct_another")
    return api.charge()


@examples.add("GET /api/v1/charges", 200)
def list_of_charges_of_every_kind(api: Api) -> Any:
    api.charge("order-1")
    api.post("/charges", "order-2")
    api.post("/refunds", "refund-1", payment=api.charge("order-3").json()["id"], amount="2")
    api.post("/checkout-sessions", "page-1", success_url="https://example.com/s", amount="25")
    api.sell_monthly()
    api.post("/subscriptions", "subscription-1")
    charge_that_is_declined(api)
    api.stripe.control.fault("reset_after", path="/v1/payment_intents")
    api.charge("order-4")
    return api.get("/charges")


@examples.add("GET /api/v1/charges", 200)
def page_of_charges(api: Api) -> Any:
    api.charge("order-1")
    api.charge("order-2")
    return api.get("/charges?limit=1&status=succeeded&kind=charge")


@examples.add("GET /api/v1/charges", 400)
def list_of_charges_with_an_unknown_filter(api: Api) -> Any:
    return api.get("/charges?statuss=declined")


@examples.add("GET /api/v1/charges", 404)
def list_of_charges_with_an_invalid_cursor(api: Api) -> Any:
    return api.get("/charges?cursor=x")


@examples.add("GET /api/v1/charges/{payment_id}", 200)
def one_charge(api: Api) -> Any:
    return api.get(f"/charges/{api.charge().json()['id']}")


@examples.add("GET /api/v1/charges/{payment_id}", 200)
def one_charge_that_was_rejected(api: Api) -> Any:
    api.stripe.control.fault("status", status=400, stored=True, path="/v1/payment_intents")
    return api.get(f"/charges/{api.charge().json()['payment']['id']}")


@examples.add("GET /api/v1/charges/{payment_id}", 404)
def one_charge_that_does_not_exist(api: Api) -> Any:
    return api.get("/charges/00000000-0000-0000-0000-000000000000")
