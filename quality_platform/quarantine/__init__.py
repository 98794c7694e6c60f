"""Rows that must not be read as good ones, each with its reasons."""
