"""A stateful Stripe look-alike for the demo, the tests and the bench. It is not Stripe; no money moves."""
