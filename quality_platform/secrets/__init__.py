"""Whom `${secret:NAME}` in runner.yaml is asked of: one small interface, six providers."""
