"""What ran, and what every check found, kept as tables of the lake."""
