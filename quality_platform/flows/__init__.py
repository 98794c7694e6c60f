"""Plain functions that join the steps: the same ones stand behind Dagster and the command line."""
