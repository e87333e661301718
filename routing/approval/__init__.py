"""Changes that take two people: one proposes, another approves, and the database refuses any other way."""
