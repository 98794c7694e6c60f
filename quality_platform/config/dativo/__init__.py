"""The runner.yaml and job files of Dativo, read as our own."""
