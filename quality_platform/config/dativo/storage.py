"""The object store of a source or target: `connection.s3`, or the connection itself."""

from __future__ import annotations

from quality_platform.config.dativo.drafts import first
from quality_platform.config.dativo.files import Found
from quality_platform.config.dativo.jobs import JobFiles

_KEYS = {
    "region": ("region",),
    "access-key-id": ("access_key_id", "access_key"),
    "secret-access-key": ("secret_access_key", "secret_key"),
    "session-token": ("session_token",),
}
"""Our keys, by Dativo's."""


def bucket_of(job: JobFiles, role: str) -> Found | None:
    """The bucket."""
    return _setting(job, role, "bucket")


def storage_keys(job: JobFiles, role: str) -> dict[str, Found]:
    """Region and keys, by pyiceberg's names without `s3.`."""
    found = {
        ours: first(_setting(job, role, name) for name in theirs) for ours, theirs in _KEYS.items()
    }
    return {key: value for key, value in found.items() if value is not None and value.text}


def endpoint_of(job: JobFiles, role: str) -> tuple[str, Found] | None:
    """The store's address with its scheme; None for AWS."""
    found = _setting(job, role, "endpoint")
    if found is None or not found.text or found.text.endswith("amazonaws.com"):
        return None
    if "://" in found.text:
        return found.text.rstrip("/"), found
    secure = _setting(job, role, "secure")
    is_plain = secure is not None and secure.text.casefold() == "false"
    return f"{'http' if is_plain else 'https'}://{found.text.rstrip('/')}", found


def path_style(job: JobFiles, role: str) -> Found | None:
    """Whether the bucket stands in the path of a URL, and not in its host."""
    return _setting(job, role, "path_style_access")


def _setting(job: JobFiles, role: str, key: str) -> Found | None:
    return first((job.connection(role, "s3", key), job.connection(role, key)))
