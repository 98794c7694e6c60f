"""Adapters from sources to Arrow batches, each with an account of every record."""
