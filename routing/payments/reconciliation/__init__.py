"""Comparing the ledger with Stripe, both ways."""
