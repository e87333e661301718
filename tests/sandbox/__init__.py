"""The sandbox Stripe, driven over real HTTP with the real SDK."""
