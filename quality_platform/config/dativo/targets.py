"""Where a job of Dativo writes, as our `lake`, and how it divides the table's files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from quality_platform.config.dativo.drafts import Draft, first
from quality_platform.config.dativo.files import Found, refused
from quality_platform.config.dativo.jobs import JobFiles
from quality_platform.config.dativo.storage import (
    bucket_of,
    endpoint_of,
    path_style,
    storage_keys,
)

_TARGETS = ("iceberg", "s3", "minio", "parquet")
_FORMATS = ("parquet", "iceberg")
_NOT_HERE = {
    "custom_writer": "Dativo's writers are not run here",
    "markdown_kv_storage": "rows are not written as Markdown-KV here yet",
}
_NESSIE_API = re.compile(r"/api/v\d+/?$")
_INGEST_DATE = "ingest_date"
"""A column that Dativo adds to every file's path. Here a snapshot tells when rows were loaded."""


@dataclass(frozen=True)
class Lake:
    """The lake that a job writes to; two are the same where the same is said of both.

    Attributes:
        settings: Values of `lake`, by their path in it.
        origins: Where they come from.
    """

    settings: dict[tuple[str, ...], Any]
    origins: dict[tuple[str, ...], Found] = field(compare=False)

    def put(self, draft: Draft) -> None:
        """Sets `lake`."""
        for path, value in self.settings.items():
            draft.put(("lake", *path), value, self.origins.get(path))

    def difference(self, other: Lake) -> str:
        """The first setting in which two lakes differ, in the words of runner.yaml."""
        paths = [*self.settings, *other.settings]
        different = [p for p in paths if self.settings.get(p) != other.settings.get(p)]
        return ".".join(("lake", *different[0])) if different else ""

    def origin(self, difference: str) -> Found | None:
        """Where a setting comes from that `difference` named."""
        return next((at for p, at in self.origins.items() if ".".join(("lake", *p)) == difference))


def lake_of(job: JobFiles) -> Lake:
    """The lake of a job.

    Raises:
        RunnerFileError: it writes to something else than a lake, or in another format.
    """
    _refuse_others(job)
    found: dict[tuple[str, ...], tuple[Any, Found | None]] = {}
    _add_catalog(found, job)
    bucket, stated = bucket_of(job, "target"), job.file.find("target", "warehouse")
    if stated is not None:
        found["warehouse",] = (stated.value, stated)
    elif bucket is not None and bucket.text:
        found["warehouse",] = (f"s3://{bucket.text}", bucket)
    _add_storage(found, job)
    return Lake(
        {path: value for path, (value, _) in found.items()},
        {path: at for path, (_, at) in found.items() if at is not None},
    )


def put_target_size(draft: Draft, job: JobFiles) -> None:
    """Sets the size of the lake's files, which is one for all tables."""
    native = ("default_engine", "options", "native", "max_file_size_mb")
    size = first(
        (
            job.file.find("target", "parquet_target_size_mb"),
            job.target.find(*native) if job.target is not None else None,
        )
    )
    if size is not None:
        draft.put(("lake", "target_file_size"), f"{size.text}MB", size)


def put_partitions(draft: Draft, table: str, job: JobFiles) -> None:
    """Sets the columns by which a table's files are divided: of times, their days."""
    stated = first(
        (
            job.file.find("target", "partitioning"),
            job.asset.asset.find("target", "partitioning"),
            job.target.find("partitioning_default") if job.target is not None else None,
        )
    )
    if stated is None:
        return
    names = stated.value if isinstance(stated.value, list) else [stated.value]
    kept = [str(name) for name in names if name != _INGEST_DATE or name in job.asset.types]
    draft.put(("tables", table, "partition_by"), [_term(name, job) for name in kept], stated)


def _term(column: str, job: JobFiles) -> str:
    is_moment = job.asset.types.get(column, "").casefold() in ("timestamp", "datetime")
    return f"day({column})" if is_moment else column


def _refuse_others(job: JobFiles) -> None:
    for key, message in _NOT_HERE.items():
        if found := job.file.find("target", key):
            raise refused(found.problem(message, action=f"leave `{key}` out"))
    kind = job.kind("target")
    if kind and kind.casefold() not in _TARGETS:
        at = job.kind_at("target")
        message = f"targets of the type {kind!r} are not supported: tables are written to a lake"
        raise refused(at.problem(message, ", ".join(_TARGETS)))
    written = first(
        (
            job.file.find("target", "file_format"),
            job.asset.asset.find("target", "file_format"),
            job.target.find("file_format") if job.target is not None else None,
        )
    )
    if written is not None and written.text.casefold() not in _FORMATS:
        message = "the lake's files are Parquet, and nothing else"
        raise refused(written.problem(message, ", ".join(_FORMATS)))


def _add_catalog(found: dict[tuple[str, ...], tuple[Any, Found | None]], job: JobFiles) -> None:
    own = job.file.find("target", "catalog")
    named = own if own is not None else (job.target.find("catalog") if job.target else None)
    settings = named.value if named is not None and isinstance(named.value, dict) else {}
    kind = settings.get("type") if settings else (named.value if named else None)
    uri = job.file.find("target", "catalog", "uri") or job.connection("target", "nessie", "uri")
    if named is not None and kind not in ("nessie", "rest", "glue", None):
        message = "the platform has no catalog of this type"
        raise refused(named.problem(message, "nessie, rest, glue"))
    if kind == "glue":
        found["catalog", "type"] = ("glue", named)
        return
    if uri is None and kind is None:
        return
    variable = job.project.variables.get("NESSIE_URI", "")
    if uri is None and not variable:
        at = named or job.whole
        action = "write `target.connection.nessie.uri`, or set NESSIE_URI"
        raise refused(at.problem("the catalog's address is missing", "", action))
    found["catalog", "type"] = ("rest", uri or named)
    address = uri.value if uri is not None else variable
    found["catalog", "uri"] = (_rest_address(address, job, str(kind or "nessie")), uri or named)


def _rest_address(address: Any, job: JobFiles, kind: str) -> Any:
    """The address of Nessie's REST catalog for a branch, of that of Nessie's own API.

    Source: Nessie's guide to Iceberg REST, https://projectnessie.org/guides/iceberg-rest/
    """
    if not isinstance(address, str) or kind == "rest":
        return address
    base = _NESSIE_API.sub("", address).rstrip("/")
    if "/iceberg/" in f"{base}/" and not base.endswith("/iceberg"):
        return base
    branch = job.file.text("target", "branch") or job.connection_text("target", "nessie", "ref")
    branch = branch or job.file.text("tenant_id")
    return f"{base.removesuffix('/iceberg')}/iceberg/{branch}"


def _add_storage(found: dict[tuple[str, ...], tuple[Any, Found | None]], job: JobFiles) -> None:
    properties = ("catalog", "properties")
    if endpoint := endpoint_of(job, "target"):
        found[*properties, "s3.endpoint"] = endpoint
        style = path_style(job, "target")
        if style is not None:
            is_virtual = style.text.casefold() == "false"
            found[*properties, "s3.force-virtual-addressing"] = (is_virtual, style)
    for key, value in storage_keys(job, "target").items():
        found[*properties, f"s3.{key}"] = (value.value, value)
