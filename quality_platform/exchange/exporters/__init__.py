"""Contracts in other formats, one module for each format."""
