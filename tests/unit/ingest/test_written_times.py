"""Dates and times in the format of the contract, and zones that a cell does not name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.contracts.schemas import DEFAULT_ZONE, FORMAT
from quality_platform.ingest.conform import conform

NAIVE, ZONED = pa.timestamp("us"), pa.timestamp("us", "UTC")


def column(cells: Sequence[str | None], target: pa.DataType, form: str = "", zone: str = ""):
    """The converted values, and the positions of the cells that do not convert."""
    metadata = {key: text for key, text in ((FORMAT, form), (DEFAULT_ZONE, zone)) if text}
    field = pa.field("c", target, metadata=metadata)
    raw = pa.array([None if cell is None else cell.encode() for cell in cells], pa.binary())
    rows, bad = conform(pa.record_batch([raw], names=["c"]), pa.schema([field]))
    rows.validate(full=True)
    return rows.column(0).to_pylist(), [cell.row for cell in bad]


@pytest.mark.parametrize(
    ("form", "target", "text", "expected"),
    [
        ("dd.MM.yyyy", pa.date32(), "29.02.2020", date(2020, 2, 29)),
        ("d.M.yyyy", pa.date32(), "1.12.2020", date(2020, 12, 1)),
        ("yyyyMMdd", pa.date32(), "20200102", date(2020, 1, 2)),
        ("dd-MMM-yyyy", pa.date32(), "05-Nov-2020", date(2020, 11, 5)),
        ("h:mm a", pa.time64("us"), "12:05 AM", time(0, 5)),
        ("h:mm a", pa.time64("us"), "12:05 PM", time(12, 5)),
        ("h:mm a", pa.time64("us"), "1:05 PM", time(13, 5)),
        ("HHmmss", pa.time64("us"), "235959", time(23, 59, 59)),
        ("HH", pa.time64("us"), "07", time(7)),
        (
            "yyyy-MM-dd HH:mm:ss.SSS",
            NAIVE,
            "2020-01-02 03:04:05.678",
            datetime(2020, 1, 2, 3, 4, 5, 678000),
        ),
        ("yyyy-MM-dd", NAIVE, "2020-01-02", datetime(2020, 1, 2)),
        ("d/M/yyyy H", NAIVE, "2/1/2020 3", datetime(2020, 1, 2, 3)),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            ZONED,
            "2020-01-02T03:04:05+05:30",
            datetime(2020, 1, 1, 21, 34, 5, tzinfo=UTC),
        ),
        (
            "yyyy-MM-dd HH:mm X",
            ZONED,
            "2020-01-02 03:04 -01",
            datetime(2020, 1, 2, 4, 4, tzinfo=UTC),
        ),
        (
            "yyyy-MM-dd HH:mm Z",
            ZONED,
            "2020-01-02 03:04 +0100",
            datetime(2020, 1, 2, 2, 4, tzinfo=UTC),
        ),
    ],
)
def test_a_text_of_the_format_converts(form: str, target: pa.DataType, text: str, expected: Any):
    assert column([text, None], target, form) == ([expected, None], [])


@pytest.mark.parametrize(
    ("form", "target", "texts"),
    [
        (
            "dd.MM.yyyy",
            pa.date32(),
            ["2020-02-29", "30.02.2020", "1.1.2020", "01.13.2020", "", " 01.01.2020"],
        ),
        ("dd.MM.yyyy", pa.date32(), ["01.01.0000", "01.01.20200", "01x01x2020", "01.01.2020\n"]),
        ("dd-MMM-yyyy", pa.date32(), ["05-nov-2020", "05-Foo-2020", "05-11-2020"]),
        ("h:mm a", pa.time64("us"), ["13:05 PM", "0:05 AM", "1:05", "1:05 pm", "1:60 AM"]),
        ("HH:mm:ss", pa.time64("us"), ["24:00:00", "12:60:00", "12:00", "12:00:00.5"]),
        ("yyyy-MM-dd HH:mm", NAIVE, ["2020-01-01 24:00", "2020-01-01T10:00", "2020-01-01 10:00Z"]),
        (
            "yyyy-MM-dd HH:mmXXX",
            ZONED,
            ["2020-01-01 10:00", "2020-01-01 10:00+0100", "2020-01-01 10:00+25:00"],
        ),
    ],
)
def test_a_text_of_any_other_format_does_not(form: str, target: pa.DataType, texts: list[str]):
    assert column(texts, target, form) == ([None] * len(texts), list(range(len(texts))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:20", time(10, 20)),
        ("10:20:30", time(10, 20, 30)),
        ("23:59:59.999999", time(23, 59, 59, 999999)),
        ("10:20:30.5", time(10, 20, 30, 500000)),
    ],
)
def test_a_time_without_a_format_is_of_iso_8601(text: str, expected: time):
    assert column([text], pa.time64("us")) == ([expected], [])


def test_what_is_no_time_does_not_convert():
    texts = [
        "",
        "10",
        "1:20",
        "24:00",
        "10:60",
        "10:20:60",
        "10:20:30.1234567",
        "10:20Z",
        "10:20 AM",
    ]
    assert column(texts, pa.time64("us"))[1] == list(range(len(texts)))


def test_a_cell_without_a_zone_is_of_the_default_zone():
    cells = [
        "2020-07-01T10:00",
        "2020-01-01 10:00:00.5",
        "2020-07-01",
        "2020-07-01T10:00+00:00",
        None,
    ]
    values, bad = column(cells, ZONED, zone="Europe/Berlin")
    assert bad == []
    assert values == [
        datetime(2020, 7, 1, 8, tzinfo=UTC),
        datetime(2020, 1, 1, 9, 0, 0, 500000, tzinfo=UTC),
        datetime(2020, 6, 30, 22, tzinfo=UTC),
        datetime(2020, 7, 1, 10, tzinfo=UTC),
        None,
    ]


def test_a_time_that_clocks_skip_or_show_twice_is_refused_not_guessed():
    skipped, twice = "2020-03-29T02:30", "2020-10-25T02:30"
    before, after = "2020-03-29T01:59:59", "2020-10-25T03:00"
    values, bad = column(
        [skipped, before, twice, after, f"{twice}+01:00"], ZONED, zone="Europe/Berlin"
    )
    assert bad == [0, 2]
    assert [v and v.hour for v in values] == [None, 0, None, 2, 1]


def test_a_format_and_a_default_zone_work_together():
    values, bad = column(["1.7.2020 10:00"], ZONED, "d.M.yyyy HH:mm", "America/New_York")
    assert (values, bad) == ([datetime(2020, 7, 1, 14, tzinfo=UTC)], [])


def test_the_reason_names_the_format_and_the_zone():
    field = pa.field("c", ZONED, metadata={FORMAT: b"d.M.yyyy", DEFAULT_ZONE: b"Europe/Berlin"})
    batch = pa.record_batch([pa.array([b"x"], pa.binary())], names=["c"])
    _, (bad,) = conform(batch, pa.schema([field]))
    assert bad.reason == (
        "'x' is no timestamptz (with a zone) of the format 'd.M.yyyy', "
        "or of a local time that Europe/Berlin has exactly once"
    )


few = settings(deadline=None, max_examples=60)
FORMS = {
    "d/M/yyyy h:mm:ss.SSSSSS a": "{d.day}/{d.month}/{d.year:04} {h}:{d:%M:%S.%f %p}",
    "dd-MMM-yyyy'T'HH:mm:ss.SSSSSS": "{d:%d}-{d:%b}-{d.year:04}T{d:%H:%M:%S.%f}",
    "yyyyMMddHHmmss.SSSSSS": "{d.year:04}{d:%m%d%H%M%S.%f}",
}


@few
@given(st.sampled_from(sorted(FORMS)), st.lists(st.none() | st.datetimes(), max_size=20))
def test_times_come_back_from_their_format(form: str, times: list[datetime | None]):
    texts = [d and FORMS[form].format(d=d, h=(d.hour + 11) % 12 + 1) for d in times]
    assert column(texts, NAIVE, form) == (times, [])


@few
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2037, 1, 1)), max_size=20))
def test_local_times_are_those_of_the_zone_or_refused(times: list[datetime]):
    zone = ZoneInfo("America/New_York")
    values, bad = column([t.isoformat() for t in times], ZONED, zone="America/New_York")
    for n, (local, found) in enumerate(zip(times, values, strict=True)):
        both = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        if n in bad:
            assert len(both) == 2
        else:
            assert both == {found}
