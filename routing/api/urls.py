"""The addresses of version 1."""

from django.urls import path

from routing.api.charges import ChargesView, ChargeView
from routing.api.customers import BalanceView, CustomersView
from routing.api.payments import CheckoutSessionsView, RefundsView, SubscriptionsView
from routing.api.routes import OverridesView, ResolveView, RoutesView
from routing.api.webhooks import StripeWebhookView

urlpatterns = [
    path("charges", ChargesView.as_view(), name="charges"),
    path("charges/<uuid:payment_id>", ChargeView.as_view(), name="charge"),
    path("customers", CustomersView.as_view(), name="customers"),
    path("subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    path("refunds", RefundsView.as_view(), name="refunds"),
    path("checkout-sessions", CheckoutSessionsView.as_view(), name="checkout-sessions"),
    path("balance", BalanceView.as_view(), name="balance"),
    path("routes", RoutesView.as_view(), name="routes"),
    path("routes/resolve", ResolveView.as_view(), name="resolve"),
    path("overrides", OverridesView.as_view(), name="overrides"),
    path("webhooks/stripe/<str:domain>", StripeWebhookView.as_view(), name="stripe-webhook"),
]
