"""Stripe's resources, one module for each family."""
