"""A stretch tells of its lines what the index tells of its records."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quality_platform.sources.csv_parsing import BlockParser
from quality_platform.sources.csv_records import Dialect
from quality_platform.sources.csv_stretches import Stretch

PLAIN = Dialect(ord(","), ord('"'))
WIDTH = 2


def texts() -> st.SearchStrategy[bytes]:
    """Text of which most lines are records of two fields."""
    line = st.sampled_from(
        [
            "a,b\n",
            '"a",b\n',
            'a,"b\nc"\n',
            "\n",
            "a\n",
            'a,"b"c\n',
            '"a""b",c\n',
            'a",b\n',
            "a,b\r\n",
        ]
    )
    ends = st.sampled_from(["", "a,b", 'a,"b', '"a,b\n', "a"])
    return st.builds(lambda lines, end: ("".join(lines) + end).encode(), st.lists(line), ends)


@settings(max_examples=500)
@given(texts(), st.booleans(), st.sampled_from([1, 7]))
@example(b"", True, 1)
@example(b"\n", False, 1)
@example(b'a,"b\n', True, 1)
@example(b'a,"b"', True, 1)
def test_lines_end_where_records_end(data: bytes, final: bool, first: int):
    stretch = Stretch(data, PLAIN, first, final)
    assert stretch.consumed == stretch.records.consumed
    assert stretch.next_line == stretch.records.next_line


@settings(max_examples=500)
@given(texts(), st.booleans())
def test_a_batch_of_lines_is_that_of_their_records(data: bytes, final: bool):
    parser = BlockParser("a.csv", {"x": 0, "y": 1}, WIDTH, PLAIN, ())
    stretch = Stretch(data, PLAIN, 5, final)
    by_line = parser.whole(stretch)
    if not len(stretch.records):
        assert by_line is None
        return
    by_record = parser.batch(data, stretch.records)
    assert by_line is not None
    assert by_line.columns.equals(by_record.columns)
    assert by_line.lines.equals(by_record.lines)
    assert by_line.rejects == by_record.rejects
    rows = range(by_line.columns.num_rows)
    assert by_line.raw(rows) == by_record.raw(rows)


@pytest.mark.parametrize(
    ("data", "is_counted"),
    [
        (b"a,b\nc,d\n", True),
        (b'"a",b\n', True),
        (b"a,b\r\n", False),
        (b'a,"b\n', False),
        (b'a,"b"c\n', False),
        (b"a,b", False),
    ],
)
def test_lines_are_counted_where_they_can_be_records(data: bytes, is_counted: bool):
    assert (Stretch(data, PLAIN, 1, final=False).lines is not None) == is_counted


def test_records_are_not_looked_for_where_every_line_is_one():
    stretch = Stretch(b'a,b\n"c",d\n', PLAIN, 1, final=True)
    parser = BlockParser("a.csv", {"x": 0, "y": 1}, WIDTH, PLAIN, ())
    assert parser.whole(stretch) is not None
    assert "records" not in vars(stretch)
