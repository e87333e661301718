"""The registry as a file that people write: read, compared with the database, applied and written back."""
