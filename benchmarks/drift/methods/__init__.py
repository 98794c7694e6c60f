"""The methods that are measured, each a program of its own (`protocol.serve`)."""
