"""Benchmarks: the same rules on the same rows, by this platform, its peers and a plain scan."""
