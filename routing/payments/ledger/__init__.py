"""The ledger: one row for every payment, its statements, and how it reads to a bot."""
