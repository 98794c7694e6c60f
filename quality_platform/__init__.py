"""Data contracts in, a running data platform out."""

__version__ = "0.1.0"
