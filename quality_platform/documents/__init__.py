"""Text that people write: YAML with the line and column of every value."""
