"""The client's version, which each request names."""

__version__ = "0.1.0"
