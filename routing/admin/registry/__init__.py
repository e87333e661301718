"""The registry's pages: bots, their routes and overrides, domains, keys, and pausing."""
