"""Feature views: SQL over pinned snapshots of published tables, computed as a stream of rows."""
