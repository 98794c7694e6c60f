"""Measures of scale: a code location of a thousand tables, its schedules, runs and results."""
