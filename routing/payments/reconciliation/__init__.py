"""Whether the ledger and Stripe say the same, looked at from both sides."""
