"""The registry as a YAML or JSON file: read, compared with the database, imported and exported."""
