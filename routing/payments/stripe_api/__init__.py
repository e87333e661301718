"""Speaking to Stripe: the requests, the transport, and what the responses mean."""
