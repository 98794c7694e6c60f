"""Who tells: the name and the version under which the platform is watched."""

from __future__ import annotations

from importlib.metadata import version

SERVICE = "quality-platform"
"""The name of the service, and of the distribution."""


def platform_version() -> str:
    """The version that is installed."""
    return version(SERVICE)
