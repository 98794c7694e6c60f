"""Drift: how far the distribution of a feature has moved from a reference."""
