"""Who asks a database: what Dativo takes from the job, a file of secrets, or variables."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from quality_platform.config.dativo.drafts import first
from quality_platform.config.dativo.files import Found, refused
from quality_platform.config.dativo.jobs import JobFiles
from quality_platform.config.secret_text import ConfiguredSecret, SecretReference

SecretPart = str | SecretReference

_SECRET = re.compile(
    r"DATIVO_SECRET__(?P<scope>.+?)__(?P<name>.+?)(?:__(?P<form>json|env|text|raw))?",
    re.IGNORECASE,
)
"""Variables that hold secrets of Dativo."""
_SHARED = ("GLOBAL", "ALL")
"""Scopes of secrets that belong to every tenant."""


@dataclass(frozen=True)
class DatabaseKind:
    """How Dativo knows a kind of database.

    Attributes:
        scheme: What its URL begins with.
        variables: The variables that stand for a part of the connection where a job says nothing.
        port: The usual port.
    """

    scheme: str
    variables: dict[str, tuple[str, ...]]
    port: str


POSTGRES = DatabaseKind(
    "postgresql",
    {
        "host": ("PGHOST",),
        "port": ("PGPORT",),
        "database": ("PGDATABASE",),
        "user": ("PGUSER",),
        "password": ("PGPASSWORD",),
    },
    "5432",
)
MYSQL = DatabaseKind(
    "mysql",
    {
        "host": ("MYSQL_HOST",),
        "port": ("MYSQL_PORT",),
        "database": ("MYSQL_DATABASE", "MYSQL_DB"),
        "user": ("MYSQL_USER",),
        "password": ("MYSQL_PASSWORD", "MYSQL_PWD"),
    },
    "3306",
)
DATABASES = {"postgres": POSTGRES, "postgresql": POSTGRES, "mysql": MYSQL, "mariadb": MYSQL}
"""By the types of connectors."""

_ALIASES = {"user": ("user", "username"), "database": ("database", "dbname")}


def database_url(job: JobFiles, kind: DatabaseKind) -> ConfiguredSecret:
    """The URL of the database that a job reads.

    A part that the job and its connector leave out is asked for in this order: the file of
    `credentials`, a `DATIVO_SECRET__` variable of the tenant or of all, the database's own
    variables (`PGUSER`). What stands in a variable is read when it is needed.
    """
    if dsn := job.file.find("source", "dsn"):
        value = dsn.value
        return value if isinstance(value, ConfiguredSecret) else ConfiguredSecret(str(value))
    login = _Login(job, kind)
    user, password = login.part("user"), login.part("password")
    account = [user, ":", password, "@"] if user and password else [user, "@"] if user else []
    host, port = login.part("host") or "localhost", login.part("port") or kind.port
    database = login.part("database")
    parts = [f"{kind.scheme}://", *account, host, ":", port, "/", database, login.settings()]
    return ConfiguredSecret([part for part in parts if part], job.project.secrets)


@dataclass(frozen=True)
class _Login:
    """The parts of one connection."""

    job: JobFiles
    kind: DatabaseKind

    def part(self, key: str) -> SecretPart:
        """A part of the URL; "" where nobody says it."""
        keys = _ALIASES.get(key, (key,))
        stated = [self.job.connection("source", name) for name in keys]
        stated += [self.job.file.find("source", "credentials", name) for name in keys]
        if found := first(stated):
            return _part(found)
        names = (*self.kind.variables[key], *keys)
        return self._in_file(names) or self._in_variables(names) or self._own_variable(key)

    def settings(self) -> str:
        """What follows the database's name."""
        mode = self.job.connection("source", "sslmode")
        return f"?sslmode={quote(mode.text)}" if mode else ""

    def _own_variable(self, key: str) -> SecretPart:
        variables, names = self.job.project.variables, self.kind.variables[key]
        known = next((name for name in names if variables.get(name)), "")
        if known or (key in ("user", "password") and self._needs_login()):
            return self._reference(known or names[0])
        return ""

    def _needs_login(self) -> bool:
        source = self.job.source
        return source is not None and source.text("credentials", "type") == "basic"

    def _reference(self, name: str, key: str = "") -> SecretReference:
        at = self._at()
        place = at.document.location(at.path)
        field = ".".join(map(str, at.path))
        secrets = self.job.project.secrets
        return secrets.add(SecretReference(name, key, True, place, field))

    def _at(self) -> Found:
        path = ("source", "connection")
        return Found(self.job.file.document, path if self.job.file.written(*path) else (), None)

    def _file_name(self) -> str:
        own = self.job.file.text("source", "credentials", "file_template")
        own = own or self.job.file.text("source", "credentials", "file")
        if own or self.job.source is None:
            return own
        return self.job.source.text("credentials", "file_template")

    def _in_file(self, names: tuple[str, ...]) -> SecretPart:
        """What the file of `credentials` says: lines of `KEY=value`, or a JSON object."""
        name = self._file_name().replace("{tenant}", self.job.file.text("tenant_id"))
        path = self.job.project.path(name)
        if not name or not path.is_file():
            return ""
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            message = f"the file of credentials cannot be read: {error.strerror}: {path}"
            raise refused(self._at().problem(message)) from error
        found = _of_json(text) if path.suffix == ".json" else _of_lines(text)
        return next((_quoted(found[name]) for name in names if name in found), "")

    def _in_variables(self, names: tuple[str, ...]) -> SecretPart:
        """What variables of the tenant say, or else those of all tenants."""
        for scope in (self.job.file.text("tenant_id"), *_SHARED):
            for variable, text in self.job.project.variables.items():
                match = _SECRET.fullmatch(variable)
                if match is None or match["scope"].casefold() != scope.casefold():
                    continue
                if part := self._in_variable(match, text, names):
                    return part
        return ""

    def _in_variable(self, match: re.Match[str], text: str, names: tuple[str, ...]) -> SecretPart:
        name, form = match["name"].casefold(), (match["form"] or "").casefold()
        if name in (wanted.casefold() for wanted in names) and form in ("", "text", "raw"):
            return self._reference(match[0])
        stem = self._file_name().rpartition("/")[2].partition(".")[0] or self.job.kind("source")
        if name != stem.casefold():
            return ""
        found = {"json": _of_json, "env": _of_lines}.get(form, _nothing)(text)
        known = next((wanted for wanted in names if wanted in found), "")
        if known and form == "json":
            return self._reference(match[0], known)
        return _quoted(found[known]) if known else ""


def _quoted(value: Any) -> str:
    return quote(str(value), safe="")


def _part(found: Found) -> SecretPart:
    """A part of a URL as a file says it: a text, or one `${secret:NAME}`."""
    if not isinstance(found.value, ConfiguredSecret):
        return _quoted(found.value)
    reference = found.value.references[0]
    if found.value != ConfiguredSecret([reference]):
        problem = found.problem("a secret must stand alone here, without other text")
        # The other text may be a part of a password.
        raise refused(replace(problem, received=""))
    return replace(reference, is_quoted=True)


def _of_lines(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        key, sign, value = line.strip().partition("=")
        if sign and not key.startswith("#"):
            found[key.strip().removeprefix("export ")] = value.strip().strip("\"'")
    return found


def _of_json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _nothing(_text: str) -> dict[str, Any]:
    return {}
