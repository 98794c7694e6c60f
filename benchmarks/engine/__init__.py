"""Micro benchmarks of the check engine: what each idea in it is worth."""
