"""JUnit XML, as build servers read it. Format: https://github.com/testmoapp/junitxml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite


@dataclass(frozen=True)
class Case:
    """A test case. It failed where it has a `failure`, whose kind is `failure_type`.

    It could not run where it has an `error`, and was not run where it has a reason to be `skipped`.
    `output` is shown with a case that passed.
    """

    name: str
    class_name: str
    failure: str = ""
    failure_type: str = "failure"
    output: str = ""
    error: str = ""
    skipped: str = ""


def junit_xml(
    tool: str, suite: str, cases: Iterable[Case], properties: Mapping[str, str] | None = None
) -> str:
    """The text of `junit_document`."""
    text: str = junit_document(tool, suite, cases, properties).tostring().decode("utf-8")
    return text


def junit_document(
    tool: str, suite: str, cases: Iterable[Case], properties: Mapping[str, str] | None = None
) -> JUnitXml:
    """The cases as one test suite of a report that `tool` made."""
    made = TestSuite(suite)
    for key, value in (properties or {}).items():
        made.add_property(key, value)
    for case in cases:
        made.add_testcase(_case(case))
    document = JUnitXml(tool)
    document.add_testsuite(made)
    document.update_statistics()
    return document


def _case(case: Case) -> TestCase:
    made = TestCase(case.name, classname=case.class_name)
    if case.skipped:
        made.result = [Skipped(case.skipped)]
    elif case.error:
        made.result = [Error(case.error, "error")]
    elif case.failure:
        made.result = [Failure(case.failure, case.failure_type)]
    elif case.output:
        made.system_out = case.output
    return made
