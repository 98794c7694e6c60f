"""Dativo's runner.yaml and jobs as our own runner.yaml, before it is validated.

What becomes of each key: docs/dativo.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quality_platform.config.broken import Fault, error_of
from quality_platform.config.dativo.drafts import Draft, TranslatedDocument, name_of
from quality_platform.config.dativo.files import DativoFile, Found, Project, refused, shape_problems
from quality_platform.config.dativo.jobs import PATHS, JobFiles
from quality_platform.config.dativo.shapes import BareSchedules, Job, Runner, WrappedRunner
from quality_platform.config.dativo.tables import JobTables
from quality_platform.config.secret_text import SecretBinding
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import ConfigurationError, Problem, RunnerFileError

_AS_THEY_ARE = ("cron", "interval_seconds", "timezone", "max_concurrent_runs")
"""Keys of a schedule that mean the same here."""


@dataclass(frozen=True)
class Translation:
    """Our runner.yaml, made of Dativo's files.

    Attributes:
        document: It as it would be written, with the places of Dativo's files.
        data: It with every `${VAR}` replaced.
        faults: What is wrong, by the part that it breaks.
        hints: What the files say that has no effect here, and might be thought to have one.
    """

    document: TranslatedDocument
    data: dict[str, Any]
    faults: list[Fault]
    hints: tuple[Problem, ...]


def is_dativo(data: Any) -> bool:
    """Whether a file has the shape of Dativo's runner.yaml, or of one of its jobs."""
    if not isinstance(data, Mapping) or "tables" in data:
        return False
    schedules = data.get("schedules")
    entries = schedules if isinstance(schedules, list) else []
    is_list = any(isinstance(entry, Mapping) and "config" in entry for entry in entries)
    return (
        is_list or isinstance(data.get("runner"), Mapping) or "orchestrator" in data or _job(data)
    )


def _job(data: Mapping[str, Any]) -> bool:
    return "tenant_id" in data


def translated(
    root: YamlDocument, variables: Mapping[str, str], secrets: SecretBinding
) -> Translation:
    """What a file of Dativo's says in our own words.

    A job that cannot be used breaks its schedule or its tables, and nothing else.

    Raises:
        ConfigurationError: the file itself cannot be used, or none of its jobs.
    """
    work = _Work(root, variables, secrets)
    if _job(root.data):
        work.add_only_job()
    else:
        work.add_schedules()
    draft = work.draft
    if of_all := [fault for fault in draft.faults if fault.part is None]:
        raise error_of(of_all)
    if not draft.data.get("tables"):
        raise error_of(draft.faults or [Fault((), work.nothing_to_do())])
    return Translation(draft.document(root), draft.data, draft.faults, tuple(draft.hints))


@dataclass
class _Work:
    """One translation on its way."""

    root: YamlDocument
    variables: Mapping[str, str] = field(repr=False)
    secrets: SecretBinding = field(repr=False)
    draft: Draft = field(default_factory=Draft)
    _misshapen: dict[PathInDocument, list[Problem]] = field(default_factory=dict)

    def add_only_job(self) -> None:
        """Adds the tables of a file that is a job itself."""
        if problems := shape_problems(self.root, Job):
            raise RunnerFileError.of(problems.values())
        file = DativoFile(self.root, self.variables, self.secrets)
        named = [file.text(key) for key in PATHS]
        project = Project.of(self.root.path, named, self.variables, self.secrets)
        JobTables(self.draft).add(JobFiles.of(project, file))

    def add_schedules(self) -> None:
        """Adds the schedules of a runner file, and the tables of their jobs."""
        base = self._orchestrator()
        count = len(self._written(*base, "schedules") or ())
        entries = [self._file(*base, "schedules", n) for n in range(count)]
        named = [entry.text("config") for entry in entries]
        project = Project.of(self.root.path, named, self.variables, self.secrets)
        jobs = JobTables(self.draft, self._file(*base).find("concurrency_per_tenant"))
        is_started = self._written(*self._top(), "mode") != "oneshot"
        for entry in entries:
            self._add(entry, project, jobs, is_started=is_started)

    def nothing_to_do(self) -> Problem:
        """What is wrong where there is no schedule, and so no job."""
        path = (*self._top(), "orchestrator", "schedules")
        return Problem(
            "the file names no job",
            self.root.location(path),
            ".".join(path),
            action="add a schedule with the `config` of a job",
        )

    def _add(
        self, entry: DativoFile, project: Project, jobs: JobTables, *, is_started: bool
    ) -> None:
        path = ("schedules", self._name(entry))
        problems = self._misshapen.get(entry.base)
        try:
            if not problems:
                self._put(entry, path, is_started=is_started)
            # The tables of a schedule that is written wrongly are there all the same.
            tables = self._tables(entry, project, jobs)
            if problems:
                raise RunnerFileError.of(problems)
            entry.raise_unset()
        except ConfigurationError as error:
            self.draft.break_part(path, error)
            return
        self.draft.put((*path, "targets"), tables, entry.find("config"))

    def _tables(self, entry: DativoFile, project: Project, jobs: JobTables) -> list[str]:
        file = self._file(*entry.base)
        named = file.find("config")
        if named is None or not isinstance(named.value, str):
            at = Found(self.root, entry.base, None)
            other = [at.problem("the schedule names no job", action="write the path of one")]
            raise RunnerFileError.of(self._misshapen.get(entry.base, other))
        file.raise_unset()
        known = jobs.known(project.path(named.text))
        return known or jobs.add(JobFiles.open(project, named))

    def _name(self, entry: DativoFile) -> str:
        name = name_of(entry.text("name") or f"schedule_{entry.base[-1]}")
        if name not in self.draft.data.get("schedules", {}):
            return name
        at = entry.find("name") or Found(self.root, entry.base, None)
        number = 2 + sum(1 for n in self.draft.data["schedules"] if n.startswith(f"{name}_"))
        again = f"{name}_{number}"
        problem = at.problem("another schedule has this name", action="rename one of them")
        self.draft.break_part(("schedules", again), refused(problem))
        return again

    def _put(self, entry: DativoFile, path: tuple[str, ...], *, is_started: bool) -> None:
        put = self.draft.put
        put(path, {}, Found(self.root, entry.base, None))
        for key in _AS_THEY_ARE:
            self.draft.copy((*path, key), entry.find(key))
        enabled = entry.find("enabled")
        is_enabled = enabled.value if enabled is not None else True
        put((*path, "enabled"), is_enabled if is_started else False, enabled)
        if tags := entry.find("tags"):
            texts = {str(key): _tag(value) for key, value in tags.value.items()}
            put((*path, "tags"), texts, tags)
        put((*path, "description"), f"The job {entry.text('config')} of Dativo.")

    def _top(self) -> tuple[str, ...]:
        return ("runner",) if "runner" in self.root.data else ()

    def _orchestrator(self) -> PathInDocument:
        """Where the schedules stand.

        Raises:
            RunnerFileError: something beside the schedules has not the shape.
        """
        is_bare = not self._top() and "schedules" in self.root.data
        base = self._top() if is_bare else (*self._top(), "orchestrator")
        shape = WrappedRunner if self._top() else BareSchedules if is_bare else Runner
        of_all = []
        for path, problem in shape_problems(self.root, shape).items():
            # A schedule that is written wrongly breaks itself alone.
            entry = path[: len(base) + 2]
            if entry[:-1] == (*base, "schedules"):
                self._misshapen.setdefault(entry, []).append(problem)
            else:
                of_all.append(problem)
        if of_all:
            raise RunnerFileError.of(of_all)
        return base

    def _file(self, *base: str | int) -> DativoFile:
        return DativoFile(self.root, self.variables, self.secrets, base)

    def _written(self, *path: str | int) -> Any:
        return self._file().written(*path)


def _tag(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
