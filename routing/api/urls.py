"""The endpoints of version 1."""

from django.urls import path

from routing.api.balance import BalanceView
from routing.api.changes import ChangeView
from routing.api.charges import ChargesView, ChargeView
from routing.api.checkout_sessions import CheckoutSessionsView
from routing.api.customers import CustomersView
from routing.api.overrides import OverridesView
from routing.api.refunds import RefundsView
from routing.api.resolution import ResolveView
from routing.api.routes import RoutesView
from routing.api.subscriptions import CancellationView, SubscriptionsView
from routing.api.webhooks import StripeWebhookView
from routing.api.whoami import WhoamiView

urlpatterns = [
    path("charges", ChargesView.as_view(), name="charges"),
    path("charges/<uuid:payment_id>", ChargeView.as_view(), name="charge"),
    path("customers", CustomersView.as_view(), name="customers"),
    path("subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    path("subscriptions/<str:subscription>/cancel", CancellationView.as_view(), name="subscription-cancellation"),
    path("refunds", RefundsView.as_view(), name="refunds"),
    path("checkout-sessions", CheckoutSessionsView.as_view(), name="checkout-sessions"),
    path("balance", BalanceView.as_view(), name="balance"),
    path("routes", RoutesView.as_view(), name="routes"),
    path("routes/resolve", ResolveView.as_view(), name="resolve"),
    path("overrides", OverridesView.as_view(), name="overrides"),
    path("changes/<int:change>", ChangeView.as_view(), name="change"),
    path("whoami", WhoamiView.as_view(), name="whoami"),
    path("webhooks/stripe/<str:domain>", StripeWebhookView.as_view(), name="stripe-webhook"),
]
