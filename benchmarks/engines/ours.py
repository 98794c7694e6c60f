"""This platform: what `quality-platform check CONTRACT DATA` does, without starting a shell."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks.contract import write_contract
from benchmarks.engines.protocol import MEMORY_LIMIT_MB, THREADS, Answer, Job, serve
from benchmarks.rules import Kind


def load() -> Mapping[str, str]:
    """Imports the platform and what it runs on."""
    import duckdb
    import jsonschema  # noqa: F401
    import open_data_contract_standard.model  # noqa: F401
    import sqlglot.dialects.duckdb  # noqa: F401
    import yaml  # noqa: F401

    from quality_platform.flows.check_data import check_data  # noqa: F401

    return {"quality-platform": version("quality-platform"), "duckdb": duckdb.__version__}


def run(job: Job) -> Answer:
    """Runs all checks of the contract, and names every row that breaks one."""
    from quality_platform.checks.derive import CONFORMS
    from quality_platform.checks.results import Verdict
    from quality_platform.flows.check_data import CheckRequest, check_data
    from quality_platform.lake.query import EngineSettings

    contract = Path(job.scratch) / "orders.odcs.yaml"
    has_key = any(rule.kind is Kind.FOREIGN_KEY for rule in job.rules)
    write_contract(contract, job.rules)
    report = check_data(
        CheckRequest(
            contract=contract,
            data=str(Path(job.customers).parent / "orders-*.parquet"),
            object_name="orders",
            references={"customers": job.customers} if has_key else {},
            engine=EngineSettings(MEMORY_LIMIT_MB, THREADS),
        )
    )
    answer = Answer(labelled=report.bad_rows)
    for result in report.results:
        if result.verdict is Verdict.ERROR or result.count is None:
            answer.not_run[result.spec.name] = result.message or "it gives no count"
        elif result.spec.name != CONFORMS:
            answer.counts[result.spec.name] = result.count
    return answer


if __name__ == "__main__":
    serve(load, run)
