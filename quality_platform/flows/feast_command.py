"""Feast's own command line, on the platform's registry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from quality_platform.config.environment import environment
from quality_platform.errors import ConfigurationError
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.platform import Platform

_FEAST = "from feast.cli.cli import cli; cli(prog_name='feast')"

_FORBIDDEN = ("apply", "teardown")


@dataclass(frozen=True)
class FeastCommand:
    """A program to run, the first of its arguments, with its environment, which holds secrets."""

    arguments: tuple[str, ...]
    variables: dict[str, str] = field(repr=False)


def feast_command(platform: Platform, arguments: Sequence[str]) -> FeastCommand:
    """Feast's command line with these arguments.

    The `feature_store.yaml` of the platform is written anew for it; the secrets that the file names
    are in the environment of the process, and nowhere else.

    Raises:
        ConfigurationError: it is asked to change what runner.yaml declares, the registry's URL is
            not one of PostgreSQL, or a package that it needs is not installed.
        SecretError: a secret cannot be had.
    """
    from quality_platform.feature_store.applying import write_feature_store_yaml

    if arguments[:1] and arguments[0] in _FORBIDDEN:
        raise ConfigurationError(
            f"`feast {arguments[0]}` would remove what runner.yaml declares",
            field=arguments[0],
            action="change runner.yaml, and run `quality-platform register-features`",
        )
    if arguments[:1] == ["ui"] and find_spec("grpc_reflection") is None:
        raise ConfigurationError(
            "Feast's UI needs packages that are not installed",
            field="ui",
            action='pip install "quality-platform[feast-ui]"',
        )
    settings = store_settings(platform)
    file = write_feature_store_yaml(settings)
    assert settings.yaml_file is not None
    folder = str(settings.yaml_file.parent)
    command = (sys.executable, "-c", _FEAST, "--chdir", folder, *arguments)
    return FeastCommand(command, {**environment(), **file.variables})
