"""`quality-platform check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from quality_platform.checks.results import Verdict
from quality_platform.cli.options import (
    ERROR,
    FOUND_PROBLEMS,
    JsonOption,
    TenantOption,
    print_json,
)
from quality_platform.errors import ConfigurationError
from quality_platform.terminal import print_check_report

if TYPE_CHECKING:
    from quality_platform.flows.check_data import CheckReport


def check(
    contract: Annotated[Path, typer.Argument(help="The data contract (ODCS v3).")],
    data: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, Parquet or Arrow files (a path, a quoted glob, or s3://BUCKET/KEY), or "
            "with --runner a table of the lake."
        ),
    ],
    object_name: Annotated[
        str | None, typer.Option("--object", help="The contract's object, where it has several.")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(help="Data that a foreign key refers to: OBJECT=FILE. May be repeated."),
    ] = None,
    runner: Annotated[
        Path | None,
        typer.Option("--runner", "-r", help="A runner file: its lake has tables to check."),
    ] = None,
    storage_of: Annotated[
        str,
        typer.Option(
            "--storage-of",
            help="Read s3:// as the source of this table does; by default as any that reads the "
            "same bucket, else with the key of AWS's environment.",
        ),
    ] = "",
    only: Annotated[list[str] | None, typer.Option(help="Run only this check; repeatable.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave out a check; repeatable.")] = None,
    delimiter: Annotated[str, typer.Option(help="Between the fields of delimited text.")] = "",
    null_string: Annotated[
        list[str] | None, typer.Option(help="A text that stands for no value; repeatable.")
    ] = None,
    ignore_column: Annotated[
        list[str] | None, typer.Option(help="A column that the contract need not have; repeatable.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, max=100, help="Failing rows shown.")] = 3,
    memory_limit: Annotated[
        int, typer.Option(min=64, help="Megabytes of the engine; the rest spills to disk.")
    ] = 512,
    as_json: JsonOption = False,
    bad_rows: Annotated[
        Path | None,
        typer.Option(
            help="Write all rows that a load would quarantine to this .csv or .parquet file, with "
            "the rules that they break, and their file and line."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let --bad-rows replace a file that is there already.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
    tenant: TenantOption = "",
) -> None:
    """Check data against a contract, without Dagster, publishing nothing.

    Exit code 0: all checks hold (or only warn); 1: some fail; 2: some could not run.
    """
    from quality_platform.flows.check_data import CheckRequest, check_data
    from quality_platform.flows.data_to_check import FileOptions
    from quality_platform.lake.query import EngineSettings

    request = CheckRequest(
        contract=contract,
        data=data,
        object_name=object_name,
        references=dict(_reference(text) for text in reference or ()),
        runner=runner,
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        options=FileOptions(
            delimiter, tuple(null_string or ("",)), tuple(ignore_column or ()), storage_of
        ),
        sample_rows=samples,
        bad_rows=bad_rows,
        force=force,
        engine=EngineSettings(memory_limit_mb=memory_limit),
        tenant=tenant,
    )
    report = check_data(request)
    _write(report, as_json=as_json, junit=junit)
    _finish(report, strict=strict)


def _reference(text: str) -> tuple[str, str]:
    name, sign, data = text.partition("=")
    if not (name and sign and data):
        raise ConfigurationError(
            "a reference is written OBJECT=FILE", field="--reference", received=text
        )
    return name, data


def _write(report: CheckReport, *, as_json: bool, junit: Path | None) -> None:
    from quality_platform.reports.check_results import as_json as json_of
    from quality_platform.reports.check_results import write_junit

    if junit is not None:
        try:
            write_junit(report, junit)
        except OSError as error:
            raise ConfigurationError(
                f"the file cannot be written: {error.strerror}", field="--junit", received=junit
            ) from error
    if as_json:
        print_json(json_of(report))
    else:
        print_check_report(Console(), report)


def _finish(report: CheckReport, *, strict: bool) -> None:
    if report.count(Verdict.ERROR):
        raise typer.Exit(ERROR)
    if report.count(Verdict.FAIL) or (strict and report.count(Verdict.WARN)):
        raise typer.Exit(FOUND_PROBLEMS)
