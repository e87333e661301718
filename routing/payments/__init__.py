"""Moving money: the ledger, the calls to Stripe, and what their answers mean."""
