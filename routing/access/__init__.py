"""What a bot may do: its tokens and their scopes."""
