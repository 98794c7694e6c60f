"""What is still known of tables and feature views that cannot be used."""

from __future__ import annotations

import re
from typing import cast

from quality_platform.config.base_models import NAME_PATTERN, RESERVED_NAMESPACES
from quality_platform.config.broken import BrokenPart
from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.errors import ConfigurationError

UNKNOWN_NAMESPACE = "broken"
"""Stands for the namespace of a table that does not tell it."""


def namespace_of(part: BrokenPart) -> str:
    """The namespace of a broken table or view; `UNKNOWN_NAMESPACE` where it cannot be told."""
    if part.section == "feature_views":
        return namespace_of_tenant(tenant_of(part), "features")
    written = part.written.get("namespace", "main" if part.written else None)
    is_name = isinstance(written, str) and re.match(NAME_PATTERN, written)
    if not is_name or written in RESERVED_NAMESPACES:
        return UNKNOWN_NAMESPACE
    return namespace_of_tenant(tenant_of(part), str(written))


def tenant_of(part: BrokenPart) -> str:
    """The tenant of a broken table or view; "" where it has none."""
    written = part.written.get("tenant")
    is_name = isinstance(written, str) and re.match(NAME_PATTERN, written)
    return str(written) if is_name else ""


def quarantine_of(part: BrokenPart) -> str:
    """The name of a broken table's quarantine in the lake."""
    return f"{namespace_of_tenant(tenant_of(part), 'quarantine')}.{part.name}"


def error_of(part: BrokenPart) -> ConfigurationError:
    """What is wrong with a part, to be raised: each time anew, or the traces would pile up."""
    return cast(ConfigurationError, type(part.error).of(part.error.problems))
