"""A generated project, as the servers and daemons of the tests take one."""

from __future__ import annotations

from pathlib import Path

from support.project import Project


class Location(Project):
    """A project whose runner.yaml is there."""

    def write_runner(self) -> Path:
        """The file, as it is."""
        return self.runner
