"""Great Expectations on pandas with Arrow types; option "complete" for the rows, else yes or no.

A foreign key has no expectation, and a predicate across columns is judged on a column computed for
it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from benchmarks.engines.protocol import Answer, Job, only, serve
from benchmarks.rules import Kind, Rule

_IMPOSSIBLE = {Kind.FOREIGN_KEY: "no expectation for a foreign key"}


def load() -> Mapping[str, str]:
    """Imports Great Expectations, which would otherwise report its use."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations
    import pandas
    import pyarrow.parquet  # noqa: F401

    great_expectations.get_context(mode="ephemeral")
    return {"great-expectations": version("great-expectations"), "pandas": pandas.__version__}


def run(job: Job) -> Answer:
    """Validates one suite on all rows."""
    import great_expectations as gx

    answer = Answer()
    rules = only(job.rules, _IMPOSSIBLE, answer)
    # `add_expectation_configuration` replaces one of the same type on the same column.
    suite = gx.ExpectationSuite(name="orders", expectations=[_built(rule) for rule in rules])
    context = gx.get_context(mode="ephemeral")
    definition = (
        context.data_sources.add_pandas("files")
        .add_dataframe_asset("orders")
        .add_batch_definition_whole_dataframe("all")
    )
    batch = definition.get_batch({"dataframe": _frame(job, rules)})
    is_complete = "complete" in job.options
    result = batch.validate(suite, result_format=_result_format(is_complete))
    _add_results(answer, result.results, is_complete, {r.name for r in rules if r.is_gate})
    return answer


def _result_format(is_complete: bool) -> dict[str, Any]:
    if not is_complete:
        return {"result_format": "BOOLEAN_ONLY"}
    return {"result_format": "COMPLETE", "return_unexpected_index_query": False}


def _add_results(answer: Answer, results: Any, is_complete: bool, gates: set[str]) -> None:
    rows: set[int] = set()
    for found in results:
        name = found.expectation_config.meta["rule"]
        if found.exception_info.get("raised_exception") or "exception_message" not in (
            found.exception_info
        ):
            answer.not_run[name] = "it raised an exception"
        elif "unexpected_count" in found.result:
            answer.counts[name] = int(found.result["unexpected_count"])
            if name not in gates:
                rows.update(found.result.get("unexpected_index_list") or ())
        else:
            answer.verdicts[name] = bool(found.success)
    answer.labelled = len(rows) if is_complete else None


def _frame(job: Job, rules: list[Rule]) -> Any:
    """The rows as pandas columns over Arrow memory, with a column for each predicate."""
    import pandas as pd
    import pyarrow.parquet as pq

    table = pq.ParquetDataset(list(job.orders)).read()
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    for rule in rules:
        if rule.kind is Kind.WITHIN_TOTAL:
            total = frame["price"].astype("double[pyarrow]") * frame["quantity"] + rule.maximum
            frame[rule.name] = (frame["discount"] <= total).fillna(True)
        elif rule.kind is Kind.CANCELLED:
            is_free = (frame["discount"] <= rule.maximum).fillna(True)
            frame[rule.name] = (frame["status"] != "cancelled").fillna(True) | is_free
    return frame


def _built(rule: Rule) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    kind, arguments = _expectation(rule)
    meta = {"rule": rule.name}
    return ExpectationConfiguration(type=kind, kwargs=arguments, meta=meta).to_domain_obj()


def _expectation(rule: Rule) -> tuple[str, dict[str, Any]]:
    column = {"column": rule.column}
    match rule.kind:
        case Kind.NOT_NULL:
            return "expect_column_values_to_not_be_null", column
        case Kind.NULL_SHARE:
            assert rule.maximum is not None
            share = {"mostly": 1 - rule.maximum / 100}
            return "expect_column_values_to_not_be_null", {**column, **share}
        case Kind.UNIQUE:
            return "expect_column_values_to_be_unique", column
        case Kind.PATTERN:
            return "expect_column_values_to_match_regex", {**column, "regex": rule.pattern}
        case Kind.IN_SET:
            listed = {"value_set": list(rule.values)}
            return "expect_column_values_to_be_in_set", {**column, **listed}
        case Kind.REPEATED_SHARE:
            assert rule.maximum is not None
            listed = {"column_list": list(rule.columns), "mostly": 1 - rule.maximum / 100}
            return "expect_compound_columns_to_be_unique", listed
        case Kind.LENGTH | Kind.IN_RANGE:
            return _bounded(rule, column)
        case _:
            made = {"column": rule.name, "value_set": [True]}
            return "expect_column_values_to_be_in_set", made


def _bounded(rule: Rule, column: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    import pandas as pd

    bounds = {"min_value": rule.minimum, "max_value": rule.maximum}
    if isinstance(rule.minimum, str):
        bounds["min_value"] = pd.Timestamp(rule.minimum)
    given = {key: bound for key, bound in bounds.items() if bound is not None}
    if rule.kind is Kind.LENGTH:
        return "expect_column_value_lengths_to_be_between", {**column, **given}
    return "expect_column_values_to_be_between", {**column, **given}


if __name__ == "__main__":
    serve(load, run)
