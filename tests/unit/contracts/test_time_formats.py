"""Formats of dates and times in the letters of the JDK."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.contracts import line_of, load_text, orders
from support.problems import only_problem, place

from quality_platform.contracts.time_formats import time_format
from quality_platform.errors import ContractError


@pytest.mark.parametrize(
    ("form", "logical", "good", "bad"),
    [
        ("yyyy-MM-dd", "date", "2020-01-02", "2020-1-2"),
        ("d.M.uuuu", "date", "2.1.2020", "2.1.20"),
        ("yyyyMMdd", "date", "20200102", "2020-01-02"),
        ("dd-MMM-yyyy", "date", "02-Jan-2020", "02-JAN-2020"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "timestamp", "2020-01-02T03:04:05.678Z", "2020-01-02"),
        ("d/M/yyyy h:mm a", "timestamp", "2/1/2020 3:04 PM", "2/1/2020 13:04 PM"),
        ("HH:mm", "time", "03:04", "3:04"),
        ("HH 'o''clock'", "time", "03 o'clock", "03 oclock"),
        ("yyyy.MM.dd", "date", "2020.01.02", "2020x01y02"),
        ("yyyy-MM-dd HH:mm:ss X", "timestamp", "2020-01-02 03:04:05 +01", "2020-01-02 03:04:05"),
    ],
)
def test_a_format_matches_its_texts_only(form: str, logical: str, good: str, bad: str):
    pattern = time_format(form, logical).pattern
    assert re.search(pattern, good)
    assert not re.search(pattern, bad)
    assert not re.search(pattern, f"{good} ")


@pytest.mark.parametrize(
    ("form", "logical", "named"),
    [
        ("yy-MM-dd", "date", "'yy'"),
        ("yyyy-MMMM-dd", "date", "'MMMM'"),
        ("EEE, dd MMM yyyy", "date", "'EEE'"),
        ("yyyy-MM-ddTHH:mm", "timestamp", "'T'"),
        ("yyyy-MM-dd HH:mm VV", "timestamp", "'VV'"),
        ("yyyy-MM-dd[ HH:mm]", "timestamp", "'['"),
        ("yyyy-MM-dd'T", "timestamp", '"\'"'),
        ("%Y-%m-%d", "date", "'Y'"),
        ("yyyy-MM-dd HH:mm:ss.SSSSSSSSS", "timestamp", "'SSSSSSSSS'"),
        ("yyyy-MM", "date", "day"),
        ("yyyy-MM-dd HH", "date", "hour"),
        ("yyyy-MM-dd", "time", "hour"),
        ("yyyy HH", "time", "year"),
        ("HH:mm XXX", "time", "zone"),
        ("hh:mm", "time", "h and a"),
        ("HH:mm a", "time", "h and a"),
        ("HH:ss", "time", "minute"),
        ("yyyy-MM-dd MM", "date", "twice"),
        ("yyyy-MM-dd MMM", "date", "twice"),
        ("", "date", "year"),
    ],
)
def test_what_cannot_be_read_is_named(form: str, logical: str, named: str):
    problem = only_problem(ContractError, lambda: time_format(form, logical))
    assert named in problem.message
    assert problem.received == form


@pytest.mark.parametrize("kind", ["logicalType: date", "physicalType: date"])
def test_a_format_is_refused_when_the_contract_is_loaded(tmp_path: Path, kind: str):
    text = orders(
        f"{{name: a, {kind}, logicalTypeOptions: {{format: yy}}}}",
        "{name: b, logicalType: string, logicalTypeOptions: {format: email}}",
    )
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert problem.field == "logicalTypeOptions.format"
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "format: yy"))


@pytest.mark.parametrize("zone", ["Europe/Berln", "CEST", "+01:00", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path, zone: str):
    entry = (
        f"{{name: a, logicalType: timestamp, logicalTypeOptions: {{defaultTimezone: '{zone}'}}}}"
    )
    problem = only_problem(ContractError, lambda: load_text(tmp_path, orders(entry)))
    assert (problem.field, problem.received) == ("logicalTypeOptions.defaultTimezone", zone)
