"""English, in UTC and unmistakable."""
