"""The HTTP API: views parse, call one function of the domain, and render."""
