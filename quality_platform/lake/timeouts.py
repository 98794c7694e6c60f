"""How long the lake waits for others, where their settings say nothing else."""

CONNECT_SECONDS = 10
"""How long a connection to a catalog or an object store may take to be made."""

ANSWER_SECONDS = 60
"""How long a catalog or an object store may be silent; how long SQLite waits for its lock."""
