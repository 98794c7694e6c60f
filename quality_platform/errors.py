"""The error tree of the platform.

QualityPlatformError
├── ConfigurationError                QP100  several problems at once, each with file and line
│   ├── RunnerFileError               QP101  runner.yaml cannot be used
│   ├── ContractError                 QP102  a data contract cannot be used
│   └── EnvironmentVariableError      QP103  a ${VAR} without a value and without a default
├── SourceError                       QP200
│   ├── SourceNotFoundError           QP201  no file or table where the configuration says
│   ├── EmptySourceError              QP202  a file of zero bytes
│   ├── HeaderError                   QP203  the source's columns do not fit the contract
│   ├── MalformedSourceError          QP204  not the declared format, or cut short
│   ├── SourceChangedError            QP205  a file has changed since it was found or ingested
│   ├── SourceUnreachableError        QP206  the source does not answer, or stopped      (transient)
│   ├── SourceAccessError             QP207  the source refuses the user
│   └── SourceTimeoutError            QP208  the source took longer than it may          (transient)
├── LakeError                         QP300
│   ├── CatalogUnreachableError       QP301  the Iceberg catalog does not answer         (transient)
│   ├── CatalogAccessError            QP307  the Iceberg catalog refuses the user or the request
│   ├── ConcurrentLoadError           QP302  another run published this table meanwhile  (transient)
│   ├── TableSchemaError              QP303  the table in the lake does not fit the contract
│   ├── TableNotFoundError            QP304  nothing has been published under this name
│   ├── StorageError                  QP305  the warehouse cannot be read or written     (transient)
│   │   └── StorageAccessError        QP308  the warehouse refuses the user, or there is none
│   └── RollbackError                 QP306  a table cannot go back to that state
├── CheckError                        QP400
│   ├── PredicateError                QP401  a SQL predicate that is not allowed or cannot be parsed
│   └── EngineError                   QP402  DuckDB, Great Expectations or Soda failed to run
├── LoadError                         QP500
│   ├── PublishBlockedError           QP501  a check on the batch failed: nothing was published
│   ├── AccountingError               QP502  rows read are not rows published plus rows quarantined
│   └── QuotaError                    QP503  a load is larger than its tenant's may be
├── FeatureError                      QP600
│   ├── FeatureViewError              QP601  a feature view cannot be computed
│   ├── MaterializationError          QP602  Feast could not apply or materialize a view
│   ├── TrainingSetError              QP603  a training set cannot be made, or is not what it was
│   └── FeatureStoreUnreachableError  QP604  the registry or online store is away     (transient)
├── SecretError                       QP700
│   ├── SecretNotFoundError           QP701  the provider knows no secret of this name
│   ├── SecretUnreachableError        QP702  the provider of secrets does not answer     (transient)
│   ├── SecretAccessError             QP703  the provider of secrets refuses the platform
│   └── SecretValueError              QP704  the secret is not what the reference takes it for
└── AlertError                        QP800  a hook could not be told of an event        (transient)

Every class has a stable code, listed in docs/errors.md; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Location:
    """A place in a text file; line and column are 1-based, 0 where unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, told so that a reader can mend it without looking elsewhere."""

    message: str
    location: Location | None = None
    field: str = ""
    received: str = ""
    allowed: str = ""
    action: str = ""

    def __str__(self) -> str:
        lead = ": ".join(str(part) for part in (self.location, self.field) if part)
        text = f"{lead}: {self.message}" if lead else self.message
        details = [
            f"{label}: {value}"
            for label, value in (
                ("received", self.received),
                ("allowed", self.allowed),
                ("to do", self.action),
            )
            if value
        ]
        return "\n    ".join([text, *details])


class QualityPlatformError(Exception):
    """Base of every error that the platform raises on purpose.

    `transient` says whether the same call may succeed later without anybody changing anything:
    it alone decides whether a retry is worth its time. `retry_after_seconds` is how long the other
    side asked to be left alone, as by HTTP's `Retry-After`; None where it said nothing.
    """

    code: ClassVar[str] = "QP000"
    transient: ClassVar[bool] = False
    retry_after_seconds: float | None = None

    def __init__(
        self,
        message: str,
        *,
        location: Location | None = None,
        field: str = "",
        received: object = "",
        allowed: object = "",
        action: str = "",
    ) -> None:
        self.problems: tuple[Problem, ...] = (
            Problem(
                message=message,
                location=location,
                field=field,
                received=str(received),
                allowed=_listed(allowed),
                action=action,
            ),
        )
        super().__init__(message)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> QualityPlatformError:
        """An error of this class that reports all the problems at once."""
        found = tuple(problems)
        error = cls(found[0].message)
        error.problems = found
        return error

    def __str__(self) -> str:
        return "\n".join(f"{self.code} {problem}" for problem in self.problems)


def _listed(allowed: object) -> str:
    if isinstance(allowed, str):
        return allowed
    if isinstance(allowed, Iterable):
        return ", ".join(str(item) for item in allowed)
    return str(allowed)


class ConfigurationError(QualityPlatformError):
    """What a person wrote cannot be used; every problem found is reported."""

    code = "QP100"


class RunnerFileError(ConfigurationError):
    """runner.yaml cannot be used."""

    code = "QP101"


class ContractError(ConfigurationError):
    """A data contract cannot be used."""

    code = "QP102"


class EnvironmentVariableError(ConfigurationError):
    """A ${VAR} has neither a value nor a default."""

    code = "QP103"


class SourceError(QualityPlatformError):
    """A source cannot be read."""

    code = "QP200"


class SourceNotFoundError(SourceError):
    """There is no file or table where the configuration says."""

    code = "QP201"


class EmptySourceError(SourceError):
    """A source file has no bytes at all."""

    code = "QP202"


class HeaderError(SourceError):
    """The columns of a source do not fit the contract: names, or types that can never fit."""

    code = "QP203"


class MalformedSourceError(SourceError):
    """A file is not of the declared format, or was cut short."""

    code = "QP204"


class SourceChangedError(SourceError):
    """A file has changed since it was ingested, or while it was being read."""

    code = "QP205"


class SourceUnreachableError(SourceError):
    """A source does not answer, or stopped in the middle."""

    code = "QP206"
    transient = True


class SourceAccessError(SourceError):
    """A source refuses the user: wrong password, or a right is missing."""

    code = "QP207"


class SourceTimeoutError(SourceError):
    """A source took longer than it may."""

    code = "QP208"
    transient = True


class LakeError(QualityPlatformError):
    """The lake refused or failed."""

    code = "QP300"


class CatalogUnreachableError(LakeError):
    """The Iceberg catalog does not answer."""

    code = "QP301"
    transient = True


class CatalogAccessError(LakeError):
    """The Iceberg catalog refuses the user or the request, or has no such warehouse."""

    code = "QP307"


class ConcurrentLoadError(LakeError):
    """Another run published the same table meanwhile."""

    code = "QP302"
    transient = True


class TableSchemaError(LakeError):
    """The table in the lake does not fit the contract."""

    code = "QP303"


class TableNotFoundError(LakeError):
    """Nothing has been published under this name."""

    code = "QP304"


class StorageError(LakeError):
    """The warehouse cannot be read or written."""

    code = "QP305"
    transient = True


class StorageAccessError(StorageError):
    """The warehouse refuses the user, or there is no such warehouse."""

    code = "QP308"
    transient = False


class RollbackError(LakeError):
    """A table cannot go back to the state that was asked for."""

    code = "QP306"


class CheckError(QualityPlatformError):
    """A check could not be run; never a pass."""

    code = "QP400"


class PredicateError(CheckError):
    """A SQL predicate is not allowed or cannot be parsed."""

    code = "QP401"


class EngineError(CheckError):
    """A check engine failed to run."""

    code = "QP402"


class LoadError(QualityPlatformError):
    """A load did not reach its table."""

    code = "QP500"


class PublishBlockedError(LoadError):
    """A check on the batch failed: nothing was published."""

    code = "QP501"


class AccountingError(LoadError):
    """Rows read are not rows published plus rows quarantined."""

    code = "QP502"


class QuotaError(LoadError):
    """A load is larger than its tenant's may be: nothing of it was published."""

    code = "QP503"


class FeatureError(QualityPlatformError):
    """A feature view failed."""

    code = "QP600"


class FeatureViewError(FeatureError):
    """A feature view cannot be computed."""

    code = "QP601"


class MaterializationError(FeatureError):
    """Feast could not apply or materialize a view."""

    code = "QP602"


class FeatureStoreUnreachableError(FeatureError):
    """Feast's registry or online store does not answer."""

    code = "QP604"
    transient = True


class TrainingSetError(FeatureError):
    """A training set cannot be made, or is not what it was."""

    code = "QP603"


class SecretError(QualityPlatformError):
    """A secret cannot be had."""

    code = "QP700"


class SecretNotFoundError(SecretError):
    """The provider knows no secret of this name."""

    code = "QP701"


class SecretUnreachableError(SecretError):
    """The provider of secrets does not answer, or not in time."""

    code = "QP702"
    transient = True


class SecretAccessError(SecretError):
    """The provider of secrets refuses the platform."""

    code = "QP703"


class SecretValueError(SecretError):
    """The secret is empty, is no text, or lacks the field that its reference names."""

    code = "QP704"


class AlertError(QualityPlatformError):
    """A hook could not be told of an event."""

    code = "QP800"
    transient = True
