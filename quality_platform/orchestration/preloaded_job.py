"""Loads the job of a run when it is imported: see `preloading`."""

from quality_platform.orchestration.preloading import load_announced

load_announced()
