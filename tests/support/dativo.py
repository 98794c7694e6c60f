"""A project of Dativo's on disk, and what becomes of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from quality_platform.config.loading import RunnerFile, read_runner
from quality_platform.flows.platform import Platform, open_platform

CASES = Path(__file__).parents[1] / "cases" / "dativo"


@dataclass(frozen=True)
class DativoProject:
    """A copy of the project of tests/cases/dativo, to be changed."""

    folder: Path

    @classmethod
    def copied(cls, folder: Path) -> DativoProject:
        """A fresh copy in a folder that is not there yet."""
        shutil.copytree(CASES, folder)
        return cls(folder)

    @property
    def runner(self) -> Path:
        """The runner file."""
        return self.folder / "configs" / "runner.yaml"

    def change(self, file: str, old: str, new: str) -> None:
        """Replaces a text that stands in a file."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    def add(self, file: str, text: str) -> None:
        """Adds a text at the end of a file."""
        path = self.folder / file
        path.write_text(path.read_text() + text)

    def schedule(self, *jobs: str) -> None:
        """Makes a runner file that runs these jobs, each once a day."""
        schedules = [{"name": Path(job).stem, "config": job, "cron": "@daily"} for job in jobs]
        data = {"runner": {"orchestrator": {"schedules": schedules}}}
        self.runner.write_text(yaml.safe_dump(data, sort_keys=False))

    def read(self, file: str = "configs/runner.yaml", **variables: str) -> RunnerFile:
        """What the file says; parts that cannot be used are in its `broken`."""
        known = {"QUALITY_PLATFORM_HOME": str(self.folder / "home"), **variables}
        return read_runner(self.folder / file, known)

    def open(self) -> Platform:
        """The platform of the file."""
        return open_platform(self.runner)


def broken(file: RunnerFile) -> dict[str, str]:
    """What is wrong with each broken part, by its name."""
    return {part.name: str(part.error) for part in file.broken}
