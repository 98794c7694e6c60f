"""The file of the Dagster instance: the project's dagster.yaml, and where its storage is.

One variable is the switch. Which storage is used is written down when the file is made, and not
looked up by every process of Dagster: a worker that lacks the variable then fails, and does not
write its events into a SQLite of its own.
"""

import uuid
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from quality_platform.config.environment import (
    HOME_VARIABLE,
    environment,
    environment_variable,
    runner_path,
)
from quality_platform.errors import ConfigurationError, Location

FILE_NAME = "dagster.yaml"

POSTGRES_URL_VARIABLE = "QUALITY_PLATFORM_DAGSTER_POSTGRES_URL"
"""Where it is set, Dagster's runs, events, schedules and pools are in this PostgreSQL."""

_MARK = "# Written by quality-platform: `quality-platform instance` writes it anew."
_STORAGE = f"""
storage:
  custom:
    module: quality_platform.orchestration.instance_storage
    class: PostgresStorage
    config:
      postgres_url:
        env: {POSTGRES_URL_VARIABLE}
"""


@dataclass(frozen=True)
class InstanceFile:
    """The file of an instance in its folder, `DAGSTER_HOME`.

    `template` is the project's dagster.yaml; a project may have none. `postgres_url` is what the
    environment says, "" where it says nothing.
    """

    home: Path
    template: Path
    postgres_url: str = field(repr=False)

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / FILE_NAME

    @property
    def storage(self) -> str:
        """Where runs, events and schedules are kept, in words."""
        return "PostgreSQL" if self.postgres_url else "SQLite"

    def write(self) -> None:
        """Makes the file what the project and the environment say now.

        Raises:
            ConfigurationError: the file was written by somebody else, or the storage is told twice.
        """
        if self.path.exists() and not self._is_ours():
            raise ConfigurationError(
                "this file was not written by quality-platform, and is left as it is",
                location=Location(str(self.path)),
                action="move it away, or choose another DAGSTER_HOME",
            )
        self.home.mkdir(parents=True, exist_ok=True)
        content = self._content()
        # Others may be reading or writing it: containers that start together share the folder.
        fresh = self.path.with_name(f".{FILE_NAME}.{uuid.uuid4().hex}")
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(self.path)

    def ensure(self) -> None:
        """Makes the file where there is none, and looks at one that is there.

        Raises:
            ConfigurationError: the file keeps the state elsewhere than the environment says.
        """
        if not self.path.exists():
            self.write()
            return
        storage = _settings(self.path).get("storage")
        is_switched = POSTGRES_URL_VARIABLE in str(storage)
        if bool(self.postgres_url) == is_switched or (storage and not is_switched):
            return
        state = "is set" if self.postgres_url else "is not set"
        found = "PostgreSQL" if is_switched else "SQLite"
        raise ConfigurationError(
            f"the Dagster instance keeps its state in {found}, while {POSTGRES_URL_VARIABLE} "
            f"{state}",
            location=Location(str(self.path)),
            action="set the variable as it was, or change over: quality-platform instance",
        )

    def _content(self) -> str:
        base = self.template.read_text(encoding="utf-8") if self.template.is_file() else ""
        if not self.postgres_url:
            return f"{_MARK}\n{base}"
        driver_url(self.postgres_url)
        if base and "storage" in _settings(self.template):
            raise ConfigurationError(
                f"`storage` stands in this file, while {POSTGRES_URL_VARIABLE} is set",
                location=Location(str(self.template)),
                action="drop one of the two",
            )
        return f"{_MARK}\n{base}{_STORAGE}"

    def _is_ours(self) -> bool:
        """Whether the file was written here, or copied from the project's, now or before."""
        first = self.path.read_text(encoding="utf-8").partition("\n")[0]
        if first == _MARK:
            return True
        if not self.template.is_file():
            return False
        of_template = self.template.read_text(encoding="utf-8").partition("\n")[0]
        return first.startswith("#") and first == of_template


def instance_file(runner: Path | None = None) -> InstanceFile:
    """The file of the instance that the environment names.

    That is `DAGSTER_HOME`, or `dagster` in the platform's home. The template is the dagster.yaml
    beside the runner file.
    """
    variables = environment()
    named = variables.get("DAGSTER_HOME")
    home = Path(named) if named else Path(variables[HOME_VARIABLE]) / "dagster"
    template = (runner or runner_path(variables)).absolute().with_name(FILE_NAME)
    url = environment_variable(POSTGRES_URL_VARIABLE) or ""
    return InstanceFile(home.absolute(), template, url)


def driver_url(url: str) -> str:
    """The URL with the driver that Dagster is written for.

    SQLAlchemy 2.1 takes `postgresql://` for psycopg 3, with which Dagster's notifications fail.

    Raises:
        ConfigurationError: the URL is not one of PostgreSQL. It is not shown: it has a password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The message of a URL whose port is no number has a piece of the password in it.
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            "the URL of Dagster's storage is not one of PostgreSQL",
            field=POSTGRES_URL_VARIABLE,
            received="not shown: it may hold a password",
            allowed="postgresql://user:password@host:5432/database",
            action="write signs such as @, / and : of a password as %40, %2F and %3A",
        ) from None
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def _settings(path: Path) -> dict[str, object]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"not YAML: {getattr(error, 'problem', 'it cannot be parsed')}",
            location=Location(str(path)),
        ) from None
    return found if isinstance(found, dict) else {}
