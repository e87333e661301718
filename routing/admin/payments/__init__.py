"""The pages about money: payments, reviews, discrepancies and webhook events."""
