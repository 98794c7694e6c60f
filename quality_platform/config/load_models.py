"""The models of `tables.NAME.load` and of a table's layout in runner.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quality_platform.config.base_models import Duration, Model, Name

Mode = Literal["append", "merge", "replace", "snapshot"]
SchemaDriftPolicy = Literal["fail", "evolve", "quarantine"]


class IncrementalConfig(Model):
    """Reading only what is new at a database, by a column that grows."""

    cursor: Name
    """The contract's column: a time of the last change, or an ascending number."""
    lookback: Duration | Annotated[int, Field(ge=0)] = 0
    """How far behind the last value read rows are read again, for those that were committed late:
    a duration for times, a number for numbers. Needs `merge`."""
    lag: Duration = "0s"
    """Rows of the last so many seconds wait for the next run: others with the same time may still
    come."""
    start: str | int | None = None
    """The first load reads rows after this value; all rows where left out."""


class DeletesConfig(Model):
    """How rows that are gone at the source leave the table, in `merge` and `snapshot`."""

    by: Literal["flag", "comparison"]
    """`flag`: a column says so; `comparison`: every row that a full read no longer finds."""
    column: Name | None = None
    """The flag's column."""
    value: str | int | bool = True
    """What the column holds in a row that is deleted."""
    at_most: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The share of the table's rows that a comparison may delete in one load; with more, nothing is
    published. A run with `--full-refresh` may delete all."""

    @model_validator(mode="after")
    def _has_its_column(self) -> DeletesConfig:
        if (self.by == "flag") != (self.column is not None):
            raise ValueError("`column` belongs to `by: flag`, and to nothing else")
        return self


class LoadConfig(Model):
    """How what is read becomes rows of the table."""

    mode: Mode = "append"
    """`append` adds the rows; `merge` puts each in place of the one with the same key; `replace`
    puts them in place of all rows before; `snapshot` keeps every version of a row, with the time
    from which and until which it was valid."""
    batch: Literal["file", "all"] = "all"
    """What one load is, and so what a check on the batch judges: each new file by itself, or all
    new files together. `replace` always takes all."""
    key: tuple[Name, ...] = ()
    """The columns that tell rows apart in `merge` and `snapshot`; the contract's primary key where
    left out."""
    order_by: Name | None = None
    """Of rows with the same key in one batch the one with the greatest value here wins, and in
    `merge` no row takes the place of one with a greater value; the incremental cursor where left
    out, and else the last row read."""
    incremental: IncrementalConfig | None = None
    """What is new at a database; a file is new by its content."""
    deletes: DeletesConfig | None = None
    """How deleted rows leave the table; they stay where left out."""
    schema_drift: SchemaDriftPolicy = "fail"
    """What follows when the source's columns no longer fit the contract: `fail` stops the load;
    `evolve` takes what the contract leaves open (a missing optional column is NULL, a further
    column is left out, both are told by a warning); `quarantine` takes as well what has a type that
    does not fit or lacks a required column, and holds back each row that does not fit."""
    on_file_error: Literal["stop", "continue"] = "stop"
    """What follows when a file cannot be loaded as a whole (damaged, empty, changed since, or with
    columns that do not fit), in `batch: file`: `stop` ends the run with it; `continue` passes it
    over, publishes the others, and tells of it in this run and every later one until it is gone or
    mended."""
    on_breaking: Literal["fail", "new_table"] = "fail"
    """What follows when the contract has changes that the table cannot follow and its major version
    was raised: `fail` refuses the load, `new_table` keeps the table under another name
    (`orders_v1`) and loads everything into a new one."""

    @model_validator(mode="after")
    def _fits_together(self) -> LoadConfig:
        if self.mode == "replace" and self.batch == "file":
            raise ValueError(
                "mode: replace needs batch: all; each file would replace the one before"
            )
        if self.on_file_error == "continue":
            self._can_pass_over()
        if self.mode in ("append", "replace"):
            for name in ("deletes", "key", "order_by"):
                if getattr(self, name):
                    raise ValueError(f"`{name}` belongs to the modes merge and snapshot")
        if self.mode in ("replace", "snapshot") and self.incremental:
            raise ValueError(f"mode: {self.mode} reads everything; leave `incremental` out")
        if (
            self.mode == "append"
            and self.incremental
            and self.incremental.lookback not in (0, "0s")
        ):
            raise ValueError("`lookback` reads rows twice: it needs mode: merge")
        if self.incremental and self.deletes and self.deletes.by == "comparison":
            raise ValueError(
                "an incremental read does not see what is gone: deletes.by must be flag"
            )
        return self

    def _can_pass_over(self) -> None:
        if self.batch != "file":
            raise ValueError("on_file_error: continue needs batch: file")
        if self.mode in ("merge", "snapshot") and not self.order_by:
            raise ValueError(
                "on_file_error: continue needs `order_by`: a file that is loaded later than those "
                "after it would undo their changes"
            )
