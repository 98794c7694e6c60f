"""Measures of drift: two samples of fifteen columns, by this platform and by its peers."""
