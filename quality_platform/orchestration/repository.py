"""The repository of the code location: everything for its server, and for a run what it is about.

Every run's worker loads the code location again. At a thousand tables that takes longer than most
loads. So nothing is read before Dagster asks for something; and when it asks for a job with a
selection of assets, only those tables are read.
"""

import gc
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from threading import Lock
from typing import Any

import dagster as dg

from quality_platform.documents.yaml_documents import no_garbage_collection
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.platform_parts import open_part
from quality_platform.orchestration.build import (
    LAUNCHPAD,
    build_definitions,
    build_launchpad,
    build_part,
    repository_of,
)
from quality_platform.orchestration.keys import names_of

SMALL = 100
"""Tables up to which a server takes the jobs of runs from its own.

What Dagster keeps of a run's job includes the job that it was taken from: megabytes, of a large
location. That of a part is small, but the UI cannot tell from it that nothing has changed since,
and says so at the button that runs it again.
"""


_SELDOM = (100_000, 50, 50)
"""How often the collector looks for garbage where everything is loaded.

Snapshots of a thousand tables take a fifth less.
"""


class _Late:
    """Becomes a copy of what `load` gives when the first of its attributes is asked for."""

    def __init__(self, load: Callable[[], object]) -> None:
        # The constructors of the classes that this is mixed into are not called: what they would
        # make comes from the copy.
        self._load = load

    def __getattr__(self, name: str) -> Any:
        # Called for attributes alone that are not there.
        if name.startswith("__") or "_load" not in vars(self):
            raise AttributeError(name)
        loaded = self._load()
        del self._load
        vars(self).update(vars(loaded))
        return getattr(self, name)


class _LateJob(_Late, dg.JobDefinition):
    """A job that is made when it is used.

    A run's worker first asks for the whole job, to see whether it is there, and then for the
    selection of its run, which it uses. To make the whole would be in vain.
    """


class PlatformRepository(_Late, dg.RepositoryDefinition):
    """All that a platform has in Dagster, made when it is asked for, and jobs of a part of it."""

    def __init__(self) -> None:
        super().__init__(self._everything)
        self._platform: Platform | None = None
        self._lock = Lock()
        self._kept: dict[object, dg.JobDefinition] = {}

    def get_maybe_subset_job_def(
        self,
        job_name: str,
        op_selection: Iterable[str] | None = None,
        asset_selection: AbstractSet[dg.AssetKey] | None = None,
        asset_check_selection: AbstractSet[dg.AssetCheckKey] | None = None,
    ) -> dg.JobDefinition:
        """A job, or the part of it that a run selects, as Dagster's own repositories give it.

        Dagster calls this in run workers, in processes of steps, and in the code server for each
        run that is to be launched. The method is not documented: where another version calls
        something else, everything works as it does here, and takes longer.
        """
        assets, checks = asset_selection or set(), asset_check_selection
        if (kept := self._kept.get(_key(job_name, assets, checks))) and not op_selection:
            return kept
        if (assets or checks) and not op_selection and not self._is_small:
            keys = {*assets, *(check.asset_key for check in checks or ())}
            part = self._part(keys, checks or set())
            if part is not None and part.has_job(job_name):
                return part.get_job(job_name).get_subset(
                    asset_selection=asset_selection, asset_check_selection=checks
                )
        elif self._platform is None:
            return _LateJob(lambda: self._late(job_name, op_selection))
        found: dg.JobDefinition = super().get_maybe_subset_job_def(
            job_name, op_selection, asset_selection, asset_check_selection
        )
        return found

    def _late(self, job_name: str, op_selection: Iterable[str] | None) -> dg.JobDefinition:
        """A job without a selection of assets. That of a launchpad reads its table when it runs."""
        if job_name in LAUNCHPAD and not op_selection:
            return repository_of(build_launchpad(open_part(()))).get_job(job_name)
        return self.get_job(job_name).get_subset(op_selection=op_selection)

    def keep(
        self,
        job_name: str,
        assets: AbstractSet[dg.AssetKey],
        checks: AbstractSet[dg.AssetCheckKey] | None,
    ) -> None:
        """Makes a job, to give the same one whenever it is asked for."""
        with no_garbage_collection():
            if not (assets or checks):
                self.load_all_definitions()
            job = self.get_maybe_subset_job_def(job_name, None, assets, checks)
            self._kept[_key(job_name, assets, checks)] = job
            gc.freeze()

    @property
    def _is_small(self) -> bool:
        """Whether everything is read already, and to take jobs from it costs next to nothing."""
        platform = self._platform
        return platform is not None and len(platform.tables) <= SMALL

    def _part(
        self, keys: AbstractSet[dg.AssetKey], checks: AbstractSet[dg.AssetCheckKey]
    ) -> dg.RepositoryDefinition | None:
        """The repository of the tables of these assets; None where it would lack any of them."""
        names = names_of(keys)
        with self._lock, no_garbage_collection():
            platform = self._platform or open_part(names)
            if not all(
                name in platform.tables or name in platform.feature_tables for name in names
            ):
                return None
            part = repository_of(build_part(platform, names))
        graph = part.asset_graph
        has_all = keys <= graph.get_all_asset_keys() and checks <= graph.asset_check_keys
        return part if has_all else None

    def _everything(self) -> dg.RepositoryDefinition:
        with no_garbage_collection():
            platform = open_platform()
            repository = repository_of(build_definitions(platform))
            # They stay as long as the process: the collector would walk them again and again, first
            # of all when it is switched on again.
            gc.freeze()
        # Dagster makes snapshots of them next, in which nothing is garbage either.
        gc.set_threshold(*_SELDOM)
        self._platform = platform
        return repository

    @property
    def asset_graph(self) -> Any:
        """The graph of all assets: that of the jobs, where Dagster would make one more of the same.

        It would add jobs with automation conditions, of which there are none.
        """
        job = self.get_implicit_global_asset_job_def()
        return job.asset_layer.asset_graph.source_asset_graph


def _key(
    job_name: str,
    assets: AbstractSet[dg.AssetKey],
    checks: AbstractSet[dg.AssetCheckKey] | None,
) -> object:
    return job_name, frozenset(assets), None if checks is None else frozenset(checks)
