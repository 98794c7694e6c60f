"""The record index: where records begin and end, and on which line."""

from __future__ import annotations

import numpy as np
import pytest

from quality_platform.errors import MalformedSourceError
from quality_platform.sources.csv_parsing import BlockParser, unescaped
from quality_platform.sources.csv_records import (
    Dialect,
    RecordIndex,
    field_counts,
    index_records,
    run_places,
)

COMMAS = Dialect(ord(","), ord('"'))


def index(data: bytes, *, first_line: int = 1, final: bool = True) -> RecordIndex:
    return index_records(data, COMMAS, first_line=first_line, final=final)


def texts(data: bytes, found: RecordIndex) -> list[bytes]:
    spans = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    return [data[start:end] for start, end in spans]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_kind_of_line_end_ends_a_record(end: bytes, last: bool) -> None:
    data = end.join([b"a,1", b"b,2", b"c,3"]) + (end if last else b"")
    found = index(data)
    assert texts(data, found) == [b"a,1", b"b,2", b"c,3"]
    assert found.lines.tolist() == [1, 2, 3]
    assert found.consumed == len(data)


def test_line_ends_may_be_mixed_and_blank_lines_are_lines_but_no_records() -> None:
    data = b"a\r\n\r\nb\n\n\rc\r\rd"
    found = index(data, first_line=10)
    assert texts(data, found) == [b"a", b"b", b"c", b"d"]
    assert found.lines.tolist() == [10, 12, 15, 17]


def test_quoted_line_ends_are_counted_and_do_not_end_the_record() -> None:
    data = b'a,"1\n2\r\n3\r4"\nb\n'
    found = index(data)
    assert texts(data, found) == [b'a,"1\n2\r\n3\r4"', b"b"]
    assert found.lines.tolist() == [1, 5]
    assert found.next_line == 6


def test_an_open_record_at_the_end_of_a_block_is_left_for_the_next() -> None:
    found = index(b'a\nb,"x\ny', final=False)
    assert (len(found), found.consumed, found.next_line) == (1, 2, 2)


def test_a_quote_open_at_the_end_of_the_file_leaves_its_record_unconsumed() -> None:
    found = index(b'a\n\nb,"x\ny\n')
    assert (len(found), found.consumed, found.next_line) == (1, 3, 3)


def test_a_return_at_the_end_of_a_block_waits_for_its_feed() -> None:
    assert index(b"a\nb\r", final=False).consumed == 2
    assert index(b"a\nb\r").consumed == 4
    assert index(b"a\nb\r\n", final=False).consumed == 5


def test_a_block_without_bytes_has_no_records() -> None:
    found = index(b"")
    assert (len(found), found.consumed, found.next_line) == (0, 0, 1)


def test_a_quote_inside_an_unquoted_field_is_a_literal() -> None:
    data = b'5" disk,"a\nb"\n3" disk,c\n'
    found = index(data)
    assert texts(data, found) == [b'5" disk,"a\nb"', b'3" disk,c']
    assert not found.broken.any()
    assert field_counts(data, found, COMMAS).tolist() == [2, 2]


def test_text_behind_a_closing_quote_marks_its_record_alone() -> None:
    found = index(b'a\n"b"c,1\n"d""e"\n"f" ,2\n')
    assert found.broken.tolist() == [False, True, False, True]


def test_text_behind_a_closing_quote_in_an_open_record_marks_no_other() -> None:
    assert index(b'a\nb\n"c"d', final=False).broken.tolist() == [False, False]


def test_fields_are_counted_without_quoted_delimiters() -> None:
    data = b'a,"b,c",d\n\n"""",\nx\n'
    assert field_counts(data, index(data), COMMAS).tolist() == [3, 2, 1]


def test_without_a_quote_character_quotes_are_text() -> None:
    data = b'"a\nb"\n'
    found = index_records(data, Dialect(ord(","), None), first_line=1, final=True)
    assert texts(data, found) == [b'"a', b'b"']


ESCAPES = Dialect(ord(","), ord('"'), ord("\\"))


def test_an_escaped_quote_neither_opens_nor_closes() -> None:
    data = b'"a\\",b\n",\\"c\n"d\\\\"\n\\"e\n'
    found = index_records(data, ESCAPES, first_line=1, final=True)
    assert texts(data, found) == [b'"a\\",b\n",\\"c', b'"d\\\\"', b'\\"e']
    assert not found.broken.any()
    assert field_counts(data, found, ESCAPES).tolist() == [2, 1, 1]


def test_escapes_become_doubled_quotes_within_quotes_only() -> None:
    data = b'"a\\"b\\\\\\c","\\\\\\""\n\\"d\\\\\n"x"\n'
    found = index_records(data, ESCAPES, first_line=1, final=True)
    plain, moved = unescaped(data, found, ESCAPES)
    assert plain == b'"a""b\\\\c","\\"""\n\\"d\\\\\n"x"\n'
    assert texts(plain, moved) == [b'"a""b\\\\c","\\"""', b'\\"d\\\\', b'"x"']
    assert moved.consumed == len(plain)


def test_places_are_counted_within_their_runs() -> None:
    assert run_places(np.array([1, 2, 3, 7, 9, 10])).tolist() == [0, 1, 2, 0, 0, 1]
    assert run_places(np.array([], dtype=np.int64)).tolist() == []


def test_rows_that_do_not_add_up_to_the_index_refuse_the_file() -> None:
    data = b"1,2\n3,4\n5,6\n"
    found = index(data)
    short = RecordIndex(
        starts=found.starts[::2],
        ends=np.array([3, len(data)]),
        lines=found.lines[::2],
        broken=found.broken[::2],
        toggles=found.toggles,
        consumed=found.consumed,
        next_line=found.next_line,
    )
    parser = BlockParser("/data/a.csv", {"a": 0, "b": 1}, 2, COMMAS, ())
    with pytest.raises(MalformedSourceError, match="3 rows parsed of 2"):
        parser.batch(data, short)
