"""What a job of Dativo reads, as our `source` and `load`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from quality_platform.config.dativo.drafts import Draft, first, name_of
from quality_platform.config.dativo.files import Found, refused
from quality_platform.config.dativo.jobs import AssetFacts, JobFiles, Unit
from quality_platform.config.dativo.logins import DATABASES, database_url
from quality_platform.config.dativo.storage import bucket_of, endpoint_of, storage_keys
from quality_platform.errors import Problem, RunnerFileError

_FILES = ("csv", "json", "jsonl", "parquet", "arrow", "s3", "minio")
_ENDINGS = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "json": "jsonl", "jsonl": "jsonl",
    "ndjson": "jsonl", "parquet": "parquet", "arrow": "arrow", "feather": "arrow",
}  # fmt: skip
"""Our types of files, by what their names end in, and by Dativo's names."""

_CSV_OPTIONS = {"delimiter": "delimiter", "quote_char": "quote", "encoding": "encoding"}
_NO_VALUE = ["", "NULL", "null", "None"]
"""What Dativo's reader of CSV takes for "no value"."""

_FULL = ("full_refresh", "full", "none")
"""Strategies by which everything is read each time."""


def put_source(draft: Draft, table: str, job: JobFiles, unit: Unit) -> None:
    """Sets what a table is read from, and how.

    Raises:
        RunnerFileError: the source is of a kind that is not read here.
    """
    if custom := job.file.find("source", "custom_reader"):
        action = "write a source plugin (docs/plugins.md), or leave `custom_reader` out"
        raise refused(custom.problem("Dativo's readers are not run here", action=action))
    kind = job.kind("source").casefold()
    if kind in DATABASES:
        _put_database(draft, table, job, unit)
    elif kind in _FILES:
        _put_files(draft, table, job, unit, kind)
    else:
        raise refused(_unsupported(job, kind))


def _unsupported(job: JobFiles, kind: str) -> Problem:
    return job.kind_at("source").problem(
        f"sources of the type {kind!r} are not supported yet"
        if kind
        else "the job does not say what kind of source it reads",
        ", ".join(sorted({*DATABASES, *_FILES})),
        "the other tables are loaded; deliver this one as files until then",
    )


def _put_database(draft: Draft, table: str, job: JobFiles, unit: Unit) -> None:
    if not unit.path:
        where = job.file.find("source") or job.whole
        raise refused(where.problem("the job names no table", action="source.tables with a `name`"))
    kind = DATABASES[job.kind("source").casefold()]
    connection = name_of(job.tenant, job.stem)
    draft.put(("connections", connection, "url"), database_url(job, kind), _source(job))
    draft.put(("connections", connection, "tenant"), job.tenant, job.file.find("tenant_id"))
    _limit_rate(draft, connection, job)
    source = ("tables", table, "source")
    draft.put((*source, "type"), "mysql" if kind.scheme == "mysql" else "postgres", _source(job))
    draft.put((*source, "connection"), connection, _source(job))
    schema, name = job.file.text(*unit.path, "schema"), job.file.text(*unit.path, "name")
    at = job.file.find(*unit.path, "name") or job.file.find(*unit.path)
    whole = f"{schema}.{name}" if schema else name
    draft.put((*source, "table"), whole or unit.name, at)
    _put_database_load(draft, table, job, unit)


def _source(job: JobFiles) -> Found:
    return job.file.find("source", "connection") or job.kind_at("source")


def _limit_rate(draft: Draft, connection: str, job: JobFiles) -> None:
    limits = [job.file.find("source", "rate_limits", "rps_default")]
    if job.source is not None:
        limits.append(job.source.find("rate_limits", "rps_default"))
    found = first(limits)
    if found is None:
        return
    limit = ("connections", connection, "rate_limit")
    try:
        rate = float(found.text)
    except ValueError:
        rate = 0
    if not 0 < rate < math.inf:
        raise refused(found.problem("must be a number of requests in a second"))
    draft.put((*limit, "requests"), max(int(rate), 1), found)
    draft.put((*limit, "period"), f"{math.ceil(1 / rate) if rate < 1 else 1}s", found)


def _put_database_load(draft: Draft, table: str, job: JobFiles, unit: Unit) -> None:
    load, asset = ("tables", table, "load"), job.asset
    cursor = _cursor(job, unit)
    if cursor is None:
        where = job.file.find("source", "incremental")
        draft.put((*load, "mode"), _mode(asset, is_full=True), where)
        return
    draft.put((*load, "mode"), _mode(asset, is_full=False), cursor)
    draft.put((*load, "incremental", "cursor"), cursor.text, cursor)
    if asset.key and not asset.has_primary_key:
        draft.put((*load, "key"), list(asset.key), cursor)
    days = job.incremental("lookback_days")
    if days is None or days.text in ("", "0"):
        return
    if asset.key and asset.is_time(cursor.text):
        text = f"{days.text}d" if days.text.isdigit() else days.text
        draft.put((*load, "incremental", "lookback"), text, days)
    else:
        draft.hints.append(_no_lookback(days, has_key=bool(asset.key)))


def _no_lookback(days: Found, *, has_key: bool) -> Problem:
    why = "the cursor is no time" if has_key else "the asset has no key, and rows would be doubled"
    return days.problem(
        f"nothing is read again: {why}",
        action="make it 0" if has_key else "set `primaryKey: true` on the asset's key columns",
    )


def _cursor(job: JobFiles, unit: Unit) -> Found | None:
    """The column that grows; None where everything is read each time."""
    if is_off(job) or job.file.written("source", "incremental", "cursor_field") == "":
        return None
    written = job.file.written("source", "incremental") or {}
    own = job.file.find(*unit.path, "cursor_field") if len(unit.path) > 1 else None
    if own is None and "cursor_field" in written and written["cursor_field"] is None:
        return None
    stated = own or job.file.find("source", "incremental", "cursor_field")
    if stated is not None:
        return stated
    defaults = (job.incremental("cursor_field"), job.incremental("strategy"))
    return first(found for found in defaults if found and found.text in job.asset.types)


def is_off(job: JobFiles) -> bool:
    """Whether a job says that everything is read each time."""
    enabled = job.file.find("source", "incremental", "enabled")
    strategy = job.incremental("strategy")
    is_disabled = enabled is not None and enabled.text.casefold() == "false"
    return is_disabled or (strategy is not None and strategy.text.casefold() in _FULL)


def _put_files(draft: Draft, table: str, job: JobFiles, unit: Unit, kind: str) -> None:
    path = first(job.file.find(*unit.path, key) for key in ("path", "file") if unit.path)
    if path is None:
        where = job.file.find("source") or job.whole
        raise RunnerFileError.of(
            [where.problem("the job names no file", action="source.files with a `path`")]
        )
    source = ("tables", table, "source")
    wanted = _format(job, path, kind)
    draft.put((*source, "type"), wanted, job.kind_at("source"))
    is_remote = kind in ("s3", "minio") or path.text.startswith("s3://")
    place = _remote(job, path, wanted) if is_remote else str(job.project.path(path.text))
    draft.put((*source, "path"), place, path)
    if is_remote:
        _put_storage(draft, source, job)
    if wanted == "csv":
        for theirs, ours in _CSV_OPTIONS.items():
            draft.copy((*source, ours), job.option(theirs))
        draft.put((*source, "null_strings"), list(_NO_VALUE))
    _put_files_load(draft, table, job)


def _put_files_load(draft: Draft, table: str, job: JobFiles) -> None:
    """Sets how files become rows: a file that has changed can only be read again by its keys."""
    load, asset = ("tables", table, "load"), job.asset
    strategy = job.file.find("source", "incremental", "strategy")
    is_full = strategy is not None and strategy.text.casefold() in _FULL
    draft.put((*load, "mode"), _mode(asset, is_full=is_full), strategy)
    if asset.key and not asset.has_primary_key and not is_full:
        draft.put((*load, "key"), list(asset.key), strategy)


def _mode(asset: AssetFacts, *, is_full: bool) -> str:
    return "replace" if is_full else "merge" if asset.key else "append"


def _format(job: JobFiles, path: Found, kind: str) -> str:
    """The type of a file: by its connector, or by what the job or its name says."""
    if kind in _ENDINGS:
        return _ENDINGS[kind]
    stated = job.option("file_format")
    ending = Path(path.text.removesuffix(".gz").removesuffix(".zst")).suffix.lstrip(".")
    found = _ENDINGS.get((stated.text if stated else ending).casefold())
    if found is None:
        allowed = ", ".join(sorted(_ENDINGS))
        raise refused(path.problem("what format has the file?", allowed))
    return found


def _remote(job: JobFiles, path: Found, wanted: str) -> Any:
    if path.text.startswith("s3://"):
        return path.text
    bucket = bucket_of(job, "source")
    if bucket is None:
        raise refused(path.problem("the job names no bucket", action="connection"))
    inner = path.text.strip("/")
    is_folder = not Path(inner).suffix and "*" not in inner
    return f"s3://{bucket.text}/{inner}" + (f"/**/*.{wanted}" if is_folder else "")


def _put_storage(draft: Draft, source: tuple[str, ...], job: JobFiles) -> None:
    if endpoint := endpoint_of(job, "source"):
        draft.put((*source, "storage", "endpoint"), *endpoint)
    for key, found in storage_keys(job, "source").items():
        draft.put((*source, "storage", key.replace("-", "_")), found.value, found)
