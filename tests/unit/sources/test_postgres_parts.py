"""Parts of the PostgreSQL source that need no server."""

from __future__ import annotations

import json
from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import Location, SourceUnreachableError
from quality_platform.sources.postgres import source_batch
from quality_platform.sources.postgres_errors import connecting
from quality_platform.sources.postgres_parallel import page_ranges
from quality_platform.sources.postgres_session import libpq_uri
from quality_platform.sources.sql_errors import DatabasePlace

PLACE = DatabasePlace("db", "tables.t.source", Location("runner.yaml", 1), "postgresql://u:p@h/d")


@given(st.integers(0, 200), st.integers(1, 20))
def test_ranges_of_pages_have_every_page_once(pages: int, number: int) -> None:
    conditions = page_ranges(pages, number)

    ends = [part for c in conditions for part in c.split(" AND ") if part]
    begins = [part.removeprefix("ctid >= ") for part in ends if ">=" in part]
    assert begins == [part.removeprefix("ctid < ") for part in ends if "<" in part]
    assert len(conditions) <= max(1, number)
    assert conditions[0].startswith("ctid <") or conditions == [""]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql://u:p@h/d?application_name=quality-platform&"),
        ("postgresql+psycopg2://h/d?connect_timeout=3", "postgresql://h/d?connect_timeout=3&"),
        ("postgresql://a:1,b:2/d?sslmode=verify-full", "postgresql://a:1,b:2/d?sslmode="),
        ("postgresql://h/d?client_encoding=LATIN1", "postgresql://h/d?application_name="),
    ],
)
def test_a_url_becomes_one_of_libpq_with_timeouts_and_utf_8(url: str, expected: str) -> None:
    found = libpq_uri(ConnectionConfig.model_validate({"url": url}), PLACE)

    assert found.startswith(expected)
    assert found.count("connect_timeout=") == 1
    assert found.count("client_encoding=") == 1
    assert found.endswith("client_encoding=UTF8")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("FATAL:  the database system is starting up", "starting up"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("something that nobody has heard of, with p in it", "no connection can be made"),
    ],
)
def test_words_of_the_client_library_tell_what_is_wrong(said: str, told: str) -> None:
    import adbc_driver_manager

    error = adbc_driver_manager.OperationalError(
        said, status_code=adbc_driver_manager.AdbcStatusCode.IO
    )
    with pytest.raises(SourceUnreachableError, match=told) as raised, connecting(PLACE):
        raise error

    assert said not in str(raised.value)


def test_the_raw_text_of_a_row_says_what_arrow_lost() -> None:
    moments = [0, -9222425352054775809, -9222425352054775808, -9222000000000000000]
    days = [19782, -2147472692, -2147472691, -735000]
    batch = pa.record_batch(
        {
            "at": pa.array(moments).cast(pa.timestamp("us")),
            "day": pa.array(days, pa.int32()).cast(pa.date32()),
        }
    )

    rows = [json.loads(text) for text in source_batch(batch).raw(range(4))]

    assert rows == [
        {"at": str(datetime(1970, 1, 1)), "day": str(date(2024, 2, 29))},
        {"at": "infinity", "day": "infinity"},
        {"at": "-infinity", "day": "-infinity"},
        {"at": "after the year 294246", "day": "-043-08-22"},
    ]
