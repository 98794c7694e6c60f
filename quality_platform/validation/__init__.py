"""Run check specs against a batch: each engine behind one small interface."""
