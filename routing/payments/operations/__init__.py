"""What a bot may ask for, one module each."""
