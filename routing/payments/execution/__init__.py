"""Executing a payment at most once."""
