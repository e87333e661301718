"""Shows the whole router on one machine."""
