"""An asset of Dativo as a contract, and what of it a contract does not say."""

from __future__ import annotations

from pathlib import Path

from quality_platform.contracts.dativo_asset import asset_contract
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument, load_yaml
from quality_platform.errors import ContractError, Problem
from quality_platform.exchange.odcs import in_order
from quality_platform.exchange.results import Imported, Loss


def import_dativo(path: Path, name: str = "") -> Imported:
    """The asset as a contract of one table, called `name` or as the asset's object is.

    Raises:
        ConfigurationError: the file is no asset.
    """
    asset = load_yaml(path)
    found = asset_contract(asset)
    if found.problems:
        raise ContractError.of(found.problems)
    contract = dict(found.document.data)
    if name:
        contract["schema"] = [{**contract["schema"][0], "name": name}]
    losses = [Loss(_place(asset, left.path), left.what, left.why) for left in found.left_out]
    return Imported(in_order(contract), (*losses, *map(_loss, found.unknown)))


def _place(asset: YamlDocument, path: PathInDocument) -> str:
    return f"{asset.location(path)}: {'.'.join(map(str, path))}"


def _loss(problem: Problem) -> Loss:
    name = problem.field.rpartition(".")[2]
    return Loss(f"{problem.location}: {problem.field}", name, problem.message)
