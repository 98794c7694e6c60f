"""`quality-platform import` and `export`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import FOUND_PROBLEMS, RunnerOption
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ConfigurationError
from quality_platform.exchange.formats import EXPORTED, IMPORTED, known_format
from quality_platform.exchange.results import Exported, Imported, Loss

URL_VARIABLE = "QUALITY_PLATFORM_IMPORT_URL"
"""The environment variable that holds the URL of the database to import from."""

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write; the terminal by default.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]
ObjectOption = Annotated[str, typer.Option("--object", help="The table; needed where several are.")]
LossOption = Annotated[bool, typer.Option("--strict", help="Exit with 1 when something was lost.")]


@dataclass(frozen=True)
class _Wanted:
    """What is to be imported: a source, and what else its format asks for."""

    source: str
    name: str
    dialect: str
    url: str
    runner: Path | None


def import_contract(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(IMPORTED))],
    source: Annotated[
        str, typer.Argument(help="A file; of a database or the lake, a table (schema.table).")
    ],
    output: OutputOption = None,
    object_name: Annotated[
        str, typer.Option("--object", help="What to call the table; of dbt, which one to read.")
    ] = "",
    contract_id: Annotated[str, typer.Option("--id", help="The id of the new contract.")] = "",
    dialect: Annotated[
        str, typer.Option("--dialect", help="The SQL in which dbt or Soda writes types.")
    ] = "",
    url: Annotated[
        str,
        typer.Option("--url", envvar=URL_VARIABLE, help="The database's URL, as SQLAlchemy's."),
    ] = "",
    runner: RunnerOption = None,
    force: ForceOption = False,
    strict: LossOption = False,
) -> None:
    """Make an ODCS contract of a file or table of another format; what is lost is listed.

    Of a runner file or job of Dativo it makes a runner.yaml and contracts, in the folder --output.
    """
    format_name = known_format(format_name, IMPORTED)
    if format_name == "dativo" and _is_runner(Path(source)):
        _migrate(Path(source), output, force=force, strict=strict)
        return
    refuse_existing(output, force=force)
    wanted = _Wanted(source, object_name, dialect, url, runner)
    found = _imported(format_name, wanted)
    text = _checked(found, contract_id)
    write_text(text, output)
    _end(found.losses, strict=strict)


def export_contract(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(EXPORTED))],
    contract: Annotated[Path, typer.Argument(help="The contract's file.")],
    output: OutputOption = None,
    object_name: ObjectOption = "",
    dialect: Annotated[str, typer.Option("--dialect", help="The SQL of `ddl`.")] = "duckdb",
    force: ForceOption = False,
    strict: LossOption = False,
) -> None:
    """Write a contract in another tool's format; what is lost is listed."""
    refuse_existing(output, force=force)
    loaded = load_contract(contract)
    found = _exported(known_format(format_name, EXPORTED), loaded, object_name, dialect)
    write_text(found.text, output)
    _end(found.losses, strict=strict)


def _is_runner(path: Path) -> bool:
    from quality_platform.config.dativo.translation import is_dativo
    from quality_platform.documents.yaml_documents import load_yaml

    return is_dativo(load_yaml(path).data)


def _migrate(path: Path, folder: Path | None, *, force: bool, strict: bool) -> None:
    from quality_platform.config.environment import environment
    from quality_platform.exchange.importers.dativo_runner import migrate_dativo

    if folder is None:
        raise ConfigurationError(
            "the folder to write to is missing", field="--output", action="name a new folder"
        )
    found = migrate_dativo(path.absolute(), folder.absolute(), environment())
    for name in found.files:
        refuse_existing(folder / name, force=force)
    for name, text in found.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(text, target)
    _end(found.losses, strict=strict)


def _imported(format_name: str, wanted: _Wanted) -> Imported:
    path = Path(wanted.source)
    match format_name:
        case "dbt":
            from quality_platform.exchange.importers.dbt import import_dbt

            return import_dbt(path, wanted.dialect, wanted.name)
        case "soda":
            from quality_platform.exchange.importers.soda import import_soda

            return import_soda(path, wanted.name, wanted.dialect)
        case "dativo":
            from quality_platform.exchange.importers.dativo import import_dativo

            return import_dativo(path, wanted.name)
        case "great-expectations":
            from quality_platform.exchange.importers.great_expectations import (
                import_great_expectations,
            )

            return import_great_expectations(path, wanted.name)
        case "postgres":
            return _imported_from_postgres(wanted)
        case _:
            return _imported_with_arrow(format_name, wanted)


def _imported_from_postgres(wanted: _Wanted) -> Imported:
    from quality_platform.exchange.importers.postgres import import_postgres

    if not wanted.url:
        raise ConfigurationError(
            "the URL of the database is missing",
            field="--url",
            action=f"set {URL_VARIABLE}: a password on the command line is seen by others",
        )
    return import_postgres(wanted.url, wanted.source, wanted.name)


def _imported_with_arrow(format_name: str, wanted: _Wanted) -> Imported:
    from quality_platform.exchange.importers.arrow import import_csv, import_iceberg, import_parquet

    match format_name:
        case "parquet":
            return import_parquet(Path(wanted.source), wanted.name)
        case "csv":
            return import_csv(Path(wanted.source), wanted.name)
        case _:
            from quality_platform.flows.platform import open_platform

            lake = open_platform(wanted.runner).lake
            return import_iceberg(lake, wanted.source, wanted.name)


def _checked(found: Imported, contract_id: str) -> str:
    """The document's text, which has been read back as any contract is."""
    from quality_platform.exchange.exporters.checks import checks_of
    from quality_platform.exchange.odcs import dumped

    text = dumped({**found.document, **({"id": contract_id} if contract_id else {})})
    with tempfile.TemporaryDirectory(prefix="quality-platform-") as folder:
        path = Path(folder) / "imported.odcs.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            contract = load_contract(path)
            for table in contract.objects:
                checks_of(contract, table)
        except ConfigurationError as error:
            # The file is gone when the message is read.
            problems = [replace(p, location=None, field="imported") for p in error.problems]
            raise ConfigurationError.of(problems) from error
    return text


def _exported(format_name: str, contract: Contract, name: str, dialect: str) -> Exported:
    match format_name:
        case "markdown":
            from quality_platform.exchange.exporters.markdown import export_markdown

            return export_markdown(contract)
        case "json-schema":
            from quality_platform.exchange.exporters.json_schema import export_json_schema

            return export_json_schema(contract, _object(contract, name))
        case "ddl":
            from quality_platform.exchange.exporters.ddl import export_ddl

            return export_ddl(contract, _object(contract, name), dialect)
        case "soda":
            from quality_platform.exchange.exporters.soda import export_soda

            return export_soda(contract, _object(contract, name))
        case _:
            from quality_platform.exchange.exporters.great_expectations import (
                export_great_expectations,
            )

            return export_great_expectations(contract, _object(contract, name))


def _object(contract: Contract, name: str) -> SchemaObject:
    names = [table.name for table in contract.objects]
    if not name and len(names) == 1:
        return contract.objects[0]
    if name not in names:
        raise ConfigurationError(
            "the contract has no such table" if name else "the contract has several tables",
            field="--object",
            received=name,
            allowed=names,
            action=did_you_mean(name, names) or "name one of them",
        )
    return contract.objects[names.index(name)]


def refuse_existing(output: Path | None, *, force: bool) -> None:
    """Refuses to overwrite a file unless it is forced to.

    Raises:
        ConfigurationError: the file is there.
    """
    if output is not None and output.exists() and not force:
        raise ConfigurationError(
            "the file is there already", received=str(output), action="choose another, or --force"
        )


def write_text(text: str, output: Path | None) -> None:
    """Writes to the file, or to the terminal where there is none.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be written: {error.strerror}", received=str(output)
        ) from error


def _end(losses: Sequence[Loss], *, strict: bool) -> None:
    console = Console(stderr=True)
    for loss in losses:
        console.print(f"[yellow]![/yellow] lost: {escape(str(loss))}", soft_wrap=True)
    if losses and strict:
        raise typer.Exit(FOUND_PROBLEMS)
