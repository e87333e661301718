"""The client that bots import: one line that charges exactly once.

    from stripe_billing_router import charge
    charge("finance:finance_router_bot", amount=10.0)

The functions share one ``Client`` per process, configured by BILLING_ROUTER_URL and BILLING_ROUTER_TOKEN, which are
read at the first call. Every error is a ``BillingError``; its subclasses are in ``errors``, the types in ``schemas``.
"""

from stripe_billing_router.client import AsyncClient, Client
from stripe_billing_router.errors import BillingError, Declined, OutcomeUnknown
from stripe_billing_router.routing_table import RoutingTable
from stripe_billing_router.schemas import (
    Amount,
    Balance,
    CanceledSubscription,
    Cap,
    Change,
    CheckoutSession,
    Customer,
    NewRoute,
    Override,
    Payment,
    Refund,
    Resolution,
    Route,
    Subscription,
    Token,
)
from stripe_billing_router.version import __version__

_client = Client()

cancel_subscription = _client.cancel_subscription
charge = _client.charge
refund = _client.refund
create_customer = _client.create_customer
create_subscription = _client.create_subscription
create_checkout_session = _client.create_checkout_session
get_balance = _client.get_balance
get_change = _client.get_change
get_payment = _client.get_payment
iter_payments = _client.iter_payments
list_payments = _client.list_payments
resolve = _client.resolve
register_route = _client.register_route
register_override = _client.register_override
whoami = _client.whoami

ROUTING_TABLE = RoutingTable(_client.list_routes)

__all__ = [
    "ROUTING_TABLE",
    "Amount",
    "AsyncClient",
    "Balance",
    "BillingError",
    "CanceledSubscription",
    "Cap",
    "Change",
    "CheckoutSession",
    "Client",
    "Customer",
    "Declined",
    "NewRoute",
    "OutcomeUnknown",
    "Override",
    "Payment",
    "Refund",
    "Resolution",
    "Route",
    "Subscription",
    "Token",
    "__version__",
    "cancel_subscription",
    "charge",
    "create_checkout_session",
    "create_customer",
    "create_subscription",
    "get_balance",
    "get_change",
    "get_payment",
    "iter_payments",
    "list_payments",
    "refund",
    "register_override",
    "register_route",
    "resolve",
    "whoami",
]
