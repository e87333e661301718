"""The form of what the API takes and gives. What it means is the domain's."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from routing.access.caps import Measure, Per
from routing.api.fields import Amount, StrictSerializer, Text, Texts, Whole
from routing.payments.models import Kind
from routing.payments.states import Status

BOT_HELP = "`business_category:bot_name` or `domain:business_category:bot_name`."
CUSTOMER_HELP = "The route's customer unless given; else one that this bot created."
OVERRIDES_HELP = 'Qualifiers such as `{"region": "eu", "business": "enterprise"}`.'


class ChargeSerializer(StrictSerializer):
    bot = Text(help_text=BOT_HELP)
    amount = Amount(required=False, help_text="In the currency's own units. Without it the route's price is charged.")
    quantity = Whole(required=False, help_text="Of the route's price; 1 unless given.")
    price_id = Text(required=False, help_text="May only repeat the route's.")
    currency = Text(required=False, help_text="May only repeat the route's.")
    customer_id = Text(required=False, help_text=CUSTOMER_HELP)
    description = Text(required=False, allow_blank=True)
    metadata = Texts(required=False)
    overrides = Texts(required=False, help_text=OVERRIDES_HELP)


class CustomerSerializer(StrictSerializer):
    bot = Text(help_text=BOT_HELP)
    email = Text(required=False, max_length=512)
    name = Text(required=False, max_length=256)
    phone = Text(required=False, max_length=20)
    description = Text(required=False, allow_blank=True, max_length=350)
    metadata = Texts(required=False)
    overrides = Texts(required=False, help_text=OVERRIDES_HELP)


class SubscriptionSerializer(StrictSerializer):
    bot = Text(help_text=BOT_HELP)
    price_id = Text(required=False, help_text="May only repeat the route's.")
    quantity = Whole(required=False, help_text="1 unless given.")
    customer_id = Text(required=False, help_text=CUSTOMER_HELP)
    metadata = Texts(required=False)
    overrides = Texts(required=False, help_text=OVERRIDES_HELP)


class RefundSerializer(StrictSerializer):
    bot = Text(help_text=BOT_HELP)
    payment = Text(help_text="The charge: the router's id of it, or Stripe's `pi_…`, `ch_…` or `in_…`.")
    amount = Amount(required=False, help_text="In the charge's currency. Without it, whatever is left of the charge.")
    reason = Text(required=False, help_text="`duplicate`, `fraudulent` or `requested_by_customer`.")
    metadata = Texts(required=False)


class CheckoutSerializer(StrictSerializer):
    bot = Text(help_text=BOT_HELP)
    success_url = Text()
    cancel_url = Text(required=False)
    mode = Text(required=False, help_text="`payment` unless it is `subscription`.")
    amount = Amount(required=False, help_text="Of the route's product. Without it the route's price is sold.")
    quantity = Whole(required=False, help_text="1 unless given.")
    line_items = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text='May only repeat the route\'s price: `[{"price": "…"}]`.',
    )
    metadata = Texts(required=False)
    overrides = Texts(required=False, help_text=OVERRIDES_HELP)


class RegisterRouteSerializer(StrictSerializer):
    domain = Text(default="stripe")
    region = Text(default="default")
    business_category = Text()
    bot_name = Text()
    route = serializers.DictField(
        help_text="`product_id`, `price_id`, `customer_id`, and `currency` (`usd` unless given)."
    )


class RegisterOverrideSerializer(StrictSerializer):
    domain = Text(default="stripe")
    region = Text(required=False, allow_null=True, default=None, help_text="Every region unless given.")
    business_category = Text()
    bot_name = Text()
    key = Text()
    value = Text()
    route = serializers.DictField(help_text="What changes: `product_id`, `price_id`, `customer_id`, `currency`.")


class ResolveSerializer(StrictSerializer):
    bot = Text(help_text=BOT_HELP)
    overrides = Texts(required=False, help_text=OVERRIDES_HELP)
    as_of = serializers.DateTimeField(required=False, help_text="ISO 8601; now unless given.")


# What the API gives; for the schema, and filled by the domain's own documents.


class PaymentRouteSerializer(serializers.Serializer):  # type: ignore[type-arg]  # generic for type checkers alone
    domain = serializers.CharField()
    region = serializers.CharField()
    product_id = serializers.CharField()
    price_id = serializers.CharField()
    customer_id = serializers.CharField(allow_null=True)
    registry_version = serializers.IntegerField()
    overrides = serializers.DictField(child=serializers.CharField())


class PaymentStripeSerializer(serializers.Serializer):  # type: ignore[type-arg]  # generic for type checkers alone
    payment_intent = serializers.CharField(allow_null=True)
    charge = serializers.CharField(allow_null=True)
    invoice = serializers.CharField(allow_null=True)
    request_id = serializers.CharField(allow_null=True)


@extend_schema_serializer(component_name="Payment")
class PaymentSerializer(serializers.Serializer):  # type: ignore[type-arg]  # generic for type checkers alone
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    bot = serializers.CharField()
    amount = serializers.CharField(allow_null=True, help_text="A decimal string in the currency's own units.")
    currency = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField(allow_null=True)
    description = serializers.CharField(allow_blank=True)
    metadata = serializers.DictField(child=serializers.CharField())
    route = PaymentRouteSerializer()
    stripe = PaymentStripeSerializer()
    error = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="Cap")
class CapSerializer(serializers.Serializer):  # type: ignore[type-arg]  # generic for type checkers alone
    measure = serializers.ChoiceField(choices=Measure.choices)
    per = serializers.ChoiceField(choices=Per.choices)
    scope = serializers.CharField(help_text="`bot …`, `category …`, `domain …` or `everywhere`.")
    since = serializers.DateField(allow_null=True, help_text="First date of the day or month (UTC); null for `charge`.")
    limit = serializers.CharField(help_text="`500.00 USD`, or a number of charges.")
    left = serializers.CharField(help_text="Of the limit, as it is written; what is still open counts as taken.")


def caps_field() -> CapSerializer:
    return CapSerializer(
        many=True, allow_null=True, help_text="What is left now of each cap on it; null if that could not be read."
    )


@extend_schema_serializer(component_name="PaymentWithCaps")
class PaymentWithCapsSerializer(PaymentSerializer):
    caps = caps_field()
