"""The pages about what is allowed: bot tokens, caps, and the users of the admin."""
