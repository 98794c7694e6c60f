"""The secrets of one runner.yaml: asked for when needed, and kept for a short while."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, cast

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quality_platform.config.secret_text import SecretReference
from quality_platform.config.tenant_models import SHARED_SCOPE
from quality_platform.errors import (
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)
from quality_platform.secrets.protocol import Found, SecretProvider

_LONGEST_PAUSE = 2.0
_SIMPLE = re.compile(r"[A-Za-z0-9_./@+=-]+")


@dataclass(frozen=True)
class SecretStore:
    """Reads references through a provider. Threads may share it.

    A tenant's name is looked up in the tenant's scope, and then in the one that all tenants share:
    no name leads to another tenant's, nor to the platform's own.

    Attributes:
        provider: Where the secrets are.
        prefix: What is put before every name.
        scope: What is put before a tenant's name, after the prefix, by the tenant.
        ttl: Seconds for which an answer is used.
        retries: How often a provider that does not answer is asked once more.
        clock: Seconds of a clock that never goes back.
    """

    provider: SecretProvider
    prefix: str = ""
    ttl: float = 0
    retries: int = 0
    clock: Callable[[], float] = time.monotonic
    scope: Callable[[str], str] = "{}/".format
    _known: dict[str, tuple[Found, float]] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def read(self, reference: SecretReference) -> str:
        """The text that a reference stands for.

        Raises:
            SecretError: it cannot be had; the error names the reference's place in runner.yaml.
        """
        try:
            text = _text(self._answer(reference), reference)
        except SecretError as error:
            raise _placed(error, reference) from None
        if not text:
            raise _placed(SecretValueError("the secret is empty"), reference)
        return text

    def _answer(self, reference: SecretReference) -> Found:
        if not reference.tenant:
            return self._found(self.prefix + reference.name)
        _require_simple(reference.name)
        try:
            return self._found(self.prefix + self.scope(reference.tenant) + reference.name)
        except SecretNotFoundError as own:
            with suppress(SecretNotFoundError):
                return self._found(self.prefix + self.scope(SHARED_SCOPE) + reference.name)
            raise own from None

    def _found(self, name: str) -> Found:
        # One at a time: the others then find the answer of the first.
        with self._lock:
            found, until = self._known.get(name, ("", 0.0))
            if self.clock() >= until or name not in self._known:
                self._known.pop(name, None)
                found = self._asked(name)
                self._known[name] = (found, self.clock() + self.ttl)
            return found

    def _asked(self, name: str) -> Found:
        attempts = Retrying(
            stop=stop_after_attempt(1 + self.retries),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE),
            retry=retry_if_exception_type(SecretUnreachableError),
            reraise=True,
        )
        return attempts(self.provider.read, name)


def _require_simple(name: str) -> None:
    """Refuses what could lead out of a tenant's scope, however a provider reads it."""
    if not _SIMPLE.fullmatch(name) or any(part in ("", ".", "..") for part in name.split("/")):
        raise SecretNotFoundError(
            "a tenant's part cannot have a secret of this name",
            allowed="letters, digits, and _ . / @ + = -, without ..",
        )


def _text(found: Found, reference: SecretReference) -> str:
    if isinstance(found, str) and not reference.key:
        return found
    fields = _fields(found) if isinstance(found, str) else found
    if not reference.key and len(fields) == 1:
        return _as_text(next(iter(fields.values())))
    if reference.key not in fields:
        # What its fields are called is the business of those who may read it.
        raise SecretValueError(
            "the secret has no such field" if reference.key else "the secret has several fields",
            allowed=f"${{secret:{reference.name}#FIELD}} with one of its fields",
        )
    return _as_text(fields[reference.key])


def _fields(text: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        # Not raised within: its message holds the text.
        fields = None
    if not isinstance(fields, dict):
        raise SecretValueError(
            "the secret is no JSON object, and so has no fields",
            action="leave out what follows the #, or store a JSON object",
        )
    return fields


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise SecretValueError("the field is neither text nor a whole number nor true or false")


def _placed(error: SecretError, reference: SecretReference) -> SecretError:
    """The error with the place of the reference that led to it."""
    placed = type(error).of(
        replace(
            problem,
            location=reference.location,
            field=reference.field,
            received=str(reference),
        )
        for problem in error.problems
    )
    return cast("SecretError", placed)
