"""The models of `lake`: the Iceberg catalog and the warehouse."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from quality_platform.config.base_models import Bytes, Model, Name
from quality_platform.config.secret_text import ConfiguredSecret

_ELSEWHERE = {
    "name": "lake.catalog.name",
    "type": "lake.catalog.type",
    "uri": "lake.catalog.uri",
    "warehouse": "lake.warehouse",
}
"""Keys that pyiceberg takes among the properties, and that have a place of their own here."""


def _as_text(value: Any) -> Any:
    """Numbers and truth values as pyiceberg's properties write them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Properties = dict[
    str,
    Annotated[
        ConfiguredSecret,
        BeforeValidator(_as_text),
        Field(json_schema_extra={"type": ["string", "number", "boolean"]}),
    ],
]
"""Keys of pyiceberg's with their values, any of which can be a secret."""


class CatalogConfig(Model):
    """The Iceberg catalog."""

    name: Name = "lake"
    """The catalog's name in pyiceberg. A SQL catalog keeps the tables of several apart by it."""
    type: Literal["sql", "rest", "glue"] = "sql"
    """The kind of catalog: `sql` is a SQLite or PostgreSQL database, `rest` speaks the REST
    protocol (Nessie, Polaris, Lakekeeper and others), `glue` is AWS Glue."""
    uri: ConfiguredSecret | None = None
    """For `sql` the SQLAlchemy URL of the database, `postgresql+psycopg2://...` for PostgreSQL; for
    `rest` the catalog's address. `glue` has none."""
    properties: Properties = Field(default_factory=dict)
    """pyiceberg's own keys, such as `credential`, `scope`, `s3.endpoint`, `s3.access-key-id`. Write
    secrets as `${secret:NAME}` or `${VAR}`."""

    @model_validator(mode="after")
    def _is_whole(self) -> CatalogConfig:
        is_web = self.uri is not None and self.uri.can_begin_with("http://", "https://")
        if self.type == "rest" and not is_web:
            raise ValueError("a catalog of type rest needs a `uri`: https://...")
        known = self.uri.known_start if self.uri is not None else ""
        if self.type == "sql" and known.startswith(("http://", "https://")):
            raise ValueError("this is the `uri` of a catalog of type rest")
        if self.type == "glue" and self.uri:
            raise ValueError("a catalog of type glue has no `uri`; write `glue.endpoint` instead")
        for key in self.properties:
            if key in _ELSEWHERE:
                raise ValueError(f"`{key}` is no property here; write it as {_ELSEWHERE[key]}")
        return self


class LakeConfig(Model):
    """Where the tables live."""

    catalog: CatalogConfig = CatalogConfig()
    """The Iceberg catalog."""
    warehouse: str | None = None
    """For `sql` the folder (or `file://` or `s3://` URI) of the tables' files,
    `${QUALITY_PLATFORM_HOME}/warehouse` where left out; for `glue` an `s3://` URI; for `rest` what
    the server calls its warehouse, if it has names for them."""
    target_file_size: Bytes = "128MB"
    """Size at which a data file is finished and the next one begun."""

    @model_validator(mode="after")
    def _has_a_warehouse(self) -> LakeConfig:
        if self.catalog.type == "glue" and not (self.warehouse or "").startswith("s3://"):
            raise ValueError("a catalog of type glue needs a `warehouse`: s3://...")
        return self
