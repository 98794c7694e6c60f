"""The webserver over the location: how long it takes to answer, and a browser to show the graph."""

from __future__ import annotations

import time
from pathlib import Path

from support.webserver import Webserver, running_webserver
from ui.browser import open_browser

from benchmarks.scale.location import write_instance
from benchmarks.scale.probes.probe import Figures, answer, timed
from benchmarks.scale.probes.served import Location

_RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "quality_platform") {
  ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }"""

_GRAPH = """
{ assetNodes {
    id groupName isExecutable isMaterializable hasAssetChecks opNames jobNames description kinds
    repository { id name location { id name } }
    dependencyKeys { path } dependedByKeys { path } assetKey { path } tags { key value } } }"""
"""What the UI asks for its graph of assets."""


def ui(folder: Path, _: str) -> Figures:
    """Seconds until the webserver answers, of a reload, of the graph's query, and of the page."""
    home = folder / "dagster-ui"
    write_instance(home)
    begin = time.perf_counter()
    with running_webserver(Location(folder), home) as server:
        started = time.perf_counter() - begin
        reload = timed(lambda: _reload(server))
        nodes = server.graphql(_GRAPH)["assetNodes"]
        query = timed(lambda: server.graphql(_GRAPH))
        with open_browser(home / "profile") as page:
            page.visit("about:blank")
            page.evaluate(f"location = '{server.address}/asset-groups'")
            shown = timed(lambda: page.shows("group_0"))
    return {
        "started": started,
        "reload": reload,
        "query": query,
        "nodes": len(nodes),
        "page": shown,
    }


def _reload(server: Webserver) -> None:
    entry = server.graphql(_RELOAD)["reloadRepositoryLocation"]
    assert entry["locationOrLoadError"]["__typename"] == "RepositoryLocation", entry


if __name__ == "__main__":
    answer(ui)
