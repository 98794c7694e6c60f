"""Dagster: the only room that knows it. Assets, checks, schedules, sensors, retries, launches."""
