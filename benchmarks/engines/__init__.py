"""One module for each engine: how it reads the rows, states the rules, and what it answers."""
