"""What a definition of a Soda check may be: told before any data, by Soda's own JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import Any

from quality_platform.checks.specs import CheckSpec, SodaCheck
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import one_line

# Soda's engine takes these on every check, its JSON schema only on some.
_ALWAYS_ALLOWED = frozenset({"attributes", "column_expression", "filter", "qualifier"})
_NEED_A_BOUND = frozenset({"aggregate", "freshness", "metric"})
_ENVIRONMENT = re.compile(r"\$\{ *env\.")


def definition_problem(spec: CheckSpec) -> str:
    """What is wrong with the form of a Soda check, in one line; "" when nothing is.

    Raises:
        EngineError: the claim is of another kind.
    """
    claim = soda_claim(spec)
    if len(claim.definition) != 1:
        return f"a check has one type as its only key; received {sorted(claim.definition)}"
    [(kind, body)] = claim.definition.items()
    known = body_schemas()["column" if claim.column else "dataset"]
    if kind not in known:
        level = f"the column {claim.column!r}" if claim.column else "the data set"
        near = get_close_matches(kind, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"no check type {kind!r} on {level}; there are {', '.join(sorted(known))}{hint}"
    if body is not None and not isinstance(body, Mapping):
        return f"{kind}: the body must be a mapping; received {type(body).__name__}"
    # Soda would fill it in from the environment, secrets included.
    if _ENVIRONMENT.search(json.dumps(body, default=str)):
        return f"{kind}: ${{env...}} is not allowed in a check; write the value itself"
    return _schema_problem(kind, body or {}, known[kind]) or _lacking(kind, body or {})


def _lacking(kind: str, body: Mapping[str, Any]) -> str:
    """What Soda's JSON schema lets pass, and Soda itself cannot run."""
    threshold = body.get("threshold") or {}
    bounds = sorted(key for key in threshold if key.startswith("must_"))
    if len(bounds) > 1:
        return f"{kind}.threshold: one bound is allowed; received {', '.join(bounds)}"
    if kind in _NEED_A_BOUND and not bounds:
        return f"{kind}: add a threshold with a bound, such as must_be_less_than"
    if kind == "invalid" and not any(key.startswith(("valid_", "invalid_")) for key in body):
        return "invalid: add a condition, such as valid_values or valid_min"
    if "scope" in body:
        return f"{kind}.scope: the platform declares no scopes of Soda; use a filter"
    return ""


def _schema_problem(kind: str, body: Mapping[str, Any], schema: dict[str, Any]) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    stripped = {key: value for key, value in body.items() if key not in _ALWAYS_ALLOWED}
    validator = Draft202012Validator(schema)
    error = best_match(validator.iter_errors(json.loads(json.dumps(stripped, default=str))))
    if error is None:
        return ""
    return one_line(".".join([kind, *map(str, error.absolute_path)]) + f": {error.message}")


@lru_cache(maxsize=1)
def body_schemas() -> dict[str, dict[str, dict[str, Any]]]:
    """Soda's JSON schemas of the check bodies, by level ("column", "dataset") and check type."""
    name = "soda_data_contract_json_schema_1_0_0.json"
    schema = json.loads((files("soda_core.contracts") / name).read_text(encoding="utf-8"))
    of_contract = schema["properties"]
    of_column = of_contract["columns"]["items"]["allOf"][0]["properties"]
    return {
        level: {
            kind: {**body, "$defs": schema["$defs"]}
            for form in properties["checks"]["items"]["anyOf"]
            for kind, body in form["properties"].items()
        }
        for level, properties in (("column", of_column), ("dataset", of_contract))
    }


def soda_claim(spec: CheckSpec) -> SodaCheck:
    """The spec's claim.

    Raises:
        EngineError: it is of another kind.
    """
    if isinstance(spec.claim, SodaCheck):
        return spec.claim
    raise EngineError(
        "not a check of Soda",
        location=spec.location,
        field=spec.name,
        received=type(spec.claim).__name__,
        action="hand over only check specs whose claim is a SodaCheck",
    )
