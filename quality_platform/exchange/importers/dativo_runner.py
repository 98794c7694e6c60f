"""A runner.yaml of Dativo with its jobs and assets, as our own runner.yaml and contracts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality_platform.config.broken import Fault, error_of
from quality_platform.config.dativo.translation import Translation, translated
from quality_platform.config.secret_text import SecretBinding
from quality_platform.contracts.dativo_asset import is_dativo_asset
from quality_platform.documents.yaml_documents import load_yaml
from quality_platform.exchange.importers.dativo import import_dativo
from quality_platform.exchange.odcs import dumped
from quality_platform.exchange.results import Loss

_SECTIONS = ("tenants", "lake", "connections", "tables", "schedules")
"""The sections that a translation has, in the order in which people read them."""


@dataclass(frozen=True)
class Migration:
    """The files that take the place of Dativo's: texts by their path in the new folder."""

    files: Mapping[str, str]
    losses: tuple[Loss, ...]


def migrate_dativo(runner: Path, folder: Path, variables: Mapping[str, str]) -> Migration:
    """What to write into a folder, so that it says what a runner file of Dativo's says.

    What is broken there is left out, and is a loss. `variables` are what `${VAR}` refers to.

    Raises:
        ConfigurationError: the file cannot be used, or none of its tables.
    """
    theirs = translated(load_yaml(runner), variables, SecretBinding())
    work = _Work(folder, theirs)
    data = work.runner()
    if "tables" not in data:
        raise error_of(theirs.faults)
    return Migration({**work.contracts, "runner.yaml": dumped(data)}, tuple(work.losses))


@dataclass
class _Work:
    """One migration on its way."""

    folder: Path
    theirs: Translation
    contracts: dict[str, str] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    _by_asset: dict[str, str] = field(default_factory=dict)

    def runner(self) -> dict[str, Any]:
        """Our runner.yaml, with every `${VAR}` as it was written."""
        data: dict[str, Any] = self.theirs.document.template(self.theirs.data)
        for fault in self.theirs.faults:
            self._leave_out(fault, data)
        for name, table in data.get("tables", {}).items():
            self._move(name, table)
        for name in data.get("connections", {}):
            self._ask_for_url(name, data["connections"][name])
        for hint in self.theirs.hints:
            self.losses.append(Loss(str(hint.location), hint.field, hint.message))
        kept = {table.get("tenant") for table in data.get("tables", {}).values()}
        tenants = {name: said for name, said in data.get("tenants", {}).items() if name in kept}
        data["tenants"] = tenants
        return {section: data[section] for section in _SECTIONS if data.get(section)}

    def _leave_out(self, fault: Fault, data: dict[str, Any]) -> None:
        section, name = str(fault.path[0]), str(fault.path[1])
        where = f"{fault.problem.location}: {section}.{name}"
        self.losses.append(Loss(where, fault.problem.message, "it is left out"))
        entry = data.get(section, {}).pop(name, {})
        if section != "tables":
            return
        data.get("connections", {}).pop(entry.get("source", {}).get("connection"), None)
        for schedule, said in list(data.get("schedules", {}).items()):
            said["targets"] = [target for target in said.get("targets", ()) if target != name]
            # A schedule without targets would run everything.
            if not said["targets"]:
                del data["schedules"][schedule]

    def _move(self, name: str, table: dict[str, Any]) -> None:
        """Makes the paths of a table those of the new folder."""
        given = self.theirs.data["tables"][name]
        table["contract"] = self._contract(given["contract"])
        source, path = table["source"], given["source"].get("path", "")
        if path and "://" not in path:
            source["path"] = os.path.relpath(path, self.folder)

    def _contract(self, asset: str) -> str:
        """The path of the contract that an asset becomes."""
        if asset in self._by_asset:
            return self._by_asset[asset]
        stem, number = Path(asset).stem, 2
        name = f"contracts/{stem}.odcs.yaml"
        while name in self.contracts:
            name, number = f"contracts/{stem}_{number}.odcs.yaml", number + 1
        self._by_asset[asset] = name
        data = load_yaml(Path(asset)).data
        if is_dativo_asset(data):
            found = import_dativo(Path(asset))
            self.contracts[name] = dumped(found.document)
            self.losses += found.losses
        else:
            self.contracts[name] = Path(asset).read_text(encoding="utf-8")
        return name

    def _ask_for_url(self, name: str, connection: dict[str, Any]) -> None:
        """Has a URL come from a variable: a password may stand in it."""
        variable = f"{name.upper()}_URL"
        connection["url"] = f"${{secret:{variable}}}"
        why = f"set the environment variable {variable} to it"
        self.losses.append(Loss(f"connections.{name}", "the URL of the database", why))
