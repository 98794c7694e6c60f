"""Measures of ingestion: sources to Iceberg, by this platform, its peers, and the limit."""
