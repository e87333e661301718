"""English dates with the month in letters, in UTC."""
