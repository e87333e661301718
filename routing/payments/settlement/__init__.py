"""Settling what is still open: by evidence, or by two people."""
