"""Upkeep of tables: small files put together, old snapshots, orphans and old rows removed."""
