"""How much one load may read: what the tenant of its table is given."""

from __future__ import annotations

from dataclasses import dataclass

from quality_platform.config.base_models import megabytes
from quality_platform.config.loading import RunnerFile
from quality_platform.errors import QuotaError

_MEGABYTE = 10**6


@dataclass(frozen=True)
class Quota:
    """The most that one load may read; None for any number.

    Attributes:
        rows: Rows.
        megabytes: Millions of bytes of these rows in memory.
    """

    rows: int | None = None
    megabytes: int | None = None

    @classmethod
    def of(cls, file: RunnerFile, tenant: str) -> Quota:
        """What a tenant of runner.yaml is given; no limit for ""."""
        if not tenant:
            return NO_QUOTA
        config = file.config.tenants[tenant]
        size = config.max_size_per_load
        return cls(config.max_rows_per_load, megabytes(size) if size is not None else None)

    def require(self, rows: int, size: int) -> None:
        """Looks at what a load has read so far: rows, and their bytes.

        Raises:
            QuotaError: that is more than it may.
        """
        if self.rows is not None and rows > self.rows:
            raise QuotaError(
                "the load has more rows than one of this tenant's may have",
                received=f"at least {rows:,} rows",
                allowed=f"{self.rows:,} rows",
                action="deliver less at once, or have the tenant's max_rows_per_load raised",
            )
        if self.megabytes is not None and size > self.megabytes * _MEGABYTE:
            raise QuotaError(
                "the load has more bytes than one of this tenant's may have",
                received=f"at least {size:,} bytes",
                allowed=f"{self.megabytes * _MEGABYTE:,} bytes",
                action="deliver less at once, or have the tenant's max_size_per_load raised",
            )


NO_QUOTA = Quota()
