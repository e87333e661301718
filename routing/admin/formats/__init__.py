"""How Django itself formats dates in the admin."""
