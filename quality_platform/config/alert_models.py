"""The models of `alerts` in runner.yaml: who is told when something goes wrong."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from quality_platform.config.base_models import Duration, Model, Name
from quality_platform.config.secret_text import ConfiguredSecret

AlertEvent = Literal["run_failed", "check_failed", "drift"]
"""What hooks are told of."""


def _web_address(url: ConfiguredSecret) -> ConfiguredSecret:
    if not url.can_begin_with("https://", "http://"):
        raise ValueError("write https://... or http://...")
    return url


def _header_names(headers: dict[str, ConfiguredSecret]) -> dict[str, ConfiguredSecret]:
    if not all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in headers):
        raise ValueError("the name of a header has letters, digits and hyphens")
    return headers


def _variable_names(variables: dict[str, ConfiguredSecret]) -> dict[str, ConfiguredSecret]:
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in variables):
        raise ValueError("the name of a variable has letters, digits and underscores")
    return variables


class HookConfig(Model):
    """Base of all hooks."""

    events: tuple[AlertEvent, ...] = ()
    """What it is told of; nothing where left out, for a hook that only a sensor names."""
    tables: tuple[Name, ...] = ()
    """Tables and feature views that it is told of; all where left out."""
    severity: Literal["error", "warning"] = "error"
    """`error` tells only of what is one, `warning` of warnings too. Drift is always told."""
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 10
    """How long telling one event may take."""
    keep_trying: Duration = "1d"
    """For how long after an event it is told again when telling fails. Those after it wait."""
    interval_seconds: Annotated[int, Field(ge=5)] = 30
    """Least time between two looks."""
    enabled: bool = True
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""


class WebhookConfig(HookConfig):
    """Sends every event as JSON to an address."""

    type: Literal["webhook"]
    """`webhook`."""
    url: Annotated[ConfiguredSecret, AfterValidator(_web_address)]
    """Where it is sent to, by POST. It is a secret, as such addresses often are."""
    headers: Annotated[dict[str, ConfiguredSecret], AfterValidator(_header_names)] = Field(
        default_factory=dict
    )
    """Further headers, such as `Authorization: Bearer ${secret:ALERTS_TOKEN}`."""
    signing_key: ConfiguredSecret | None = None
    """The key of a signature of the text, HMAC with SHA-256, in the header `X-Signature-256`; none
    where left out."""


class CommandConfig(HookConfig):
    """Runs a command that reads every event as JSON from its standard input."""

    type: Literal["command"]
    """`command`."""
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments; no shell reads them. It begins in the folder of runner.yaml,
    and another exit code than 0 means that telling failed."""
    environment: Annotated[dict[str, ConfiguredSecret], AfterValidator(_variable_names)] = Field(
        default_factory=dict
    )
    """Its environment beside `PATH`, `HOME` and `LANG`."""


class LogConfig(HookConfig):
    """Writes every event as JSON into the log, of the logger `quality_platform.alerts`."""

    type: Literal["log"]
    """`log`."""


AnyHook = Annotated[WebhookConfig | CommandConfig | LogConfig, Field(discriminator="type")]


class AlertsConfig(Model):
    """Who is told when something goes wrong."""

    dagster_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    """The address of the Dagster UI, for links to runs: `https://dagster.example.com`."""
    hooks: dict[Name, AnyHook] = Field(default_factory=dict)
    """The hooks, by name; each is a sensor `alert_NAME`."""
