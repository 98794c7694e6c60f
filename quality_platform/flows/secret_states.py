"""Whether the secrets that runner.yaml refers to can be had, without telling them."""

from __future__ import annotations

from dataclasses import dataclass

from quality_platform.config.secret_text import SecretReference
from quality_platform.errors import SecretError
from quality_platform.flows.platform import Platform


@dataclass(frozen=True)
class SecretState:
    """One reference of runner.yaml.

    Attributes:
        reference: As the file has it.
        field: Where it stands: keys, joined with dots.
        line: The line of the file.
        error: Why the secret cannot be had; None where it can.
    """

    reference: str
    field: str
    line: int
    error: SecretError | None


def secret_states(platform: Platform) -> list[SecretState]:
    """Asks for every secret that runner.yaml refers to, in its order."""
    return [_state(platform, reference) for reference in platform.runner.secrets.references]


def _state(platform: Platform, reference: SecretReference) -> SecretState:
    error = None
    try:
        platform.runner.secrets.read(reference)
    except SecretError as failure:
        error = failure
    line = reference.location.line if reference.location else 0
    return SecretState(str(reference), reference.field, line, error)
