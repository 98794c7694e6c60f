"""YAML as plain data, with the place of every key and value."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import only_problem, place

from quality_platform.documents.yaml_documents import load_yaml, parse_yaml
from quality_platform.errors import ConfigurationError, Location


def parsed(text: str):
    return parse_yaml(text, Path("some.yaml"))


def refused(text: str):
    return only_problem(ConfigurationError, lambda: parsed(text))


def test_data_are_plain_python_values():
    text = "a: 1\nb: [1.5, true, null, text]\nc: {d: ''}\n"
    assert parsed(text).data == {"a": 1, "b": [1.5, True, None, "text"], "c": {"d": ""}}


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ((), 1, 1),
        (("list",), 1, 1),
        (("list", 0), 2, 5),
        (("list", 1), 3, 5),
        (("list", 1, "b"), 4, 5),
        (("list", 1, "b", 0), 5, 9),
        (("flow",), 6, 1),
        (("flow", "x"), 6, 8),
        (("flow", "y", 1), 6, 21),
    ],
)
def test_every_key_and_item_has_its_line_and_column(path, line, column):
    text = "list:\n  - one\n  - a: 1\n    b:\n      - 4\nflow: {x: 1, y: [2, 3]}\n"
    assert parsed(text).location(path) == Location("some.yaml", line, column)


def test_a_key_stands_where_it_is_written_not_where_its_value_begins():
    assert parsed("a:\n\n\n  b: 1\n").location(("a",)).line == 1


def test_a_path_that_does_not_exist_gives_the_deepest_part_that_does():
    document = parsed("a:\n  b:\n    c: 1\n")
    assert document.location(("a", "b", "nope", 3, "x")).line == 2
    assert document.location(("zzz",)).line == 1


def test_an_empty_file_is_no_data_and_has_no_line():
    for text in ("", "# only a comment\n"):
        document = parsed(text)
        assert document.data is None
        assert document.location() == Location("some.yaml")


def test_dates_and_times_stay_text_even_where_they_are_none():
    text = "a: 2013-01-01\nb: 2013-01-01T10:00:00Z\nc: 2013-99-99\n"
    assert parsed(text).data == {"a": "2013-01-01", "b": "2013-01-01T10:00:00Z", "c": "2013-99-99"}


def test_merged_keys_yield_to_the_keys_written_beside_them():
    text = "base: &base\n  x: 1\n  y: 2\nother:\n  y: 3\n  <<: *base\n"
    assert parsed(text).data["other"] == {"y": 3, "x": 1}


def test_of_several_merged_mappings_the_first_wins():
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n"
    assert parsed(text).data["c"] == {"x": 1, "y": 2, "z": 3}


def test_a_merged_key_has_the_place_where_it_was_written():
    document = parsed("base: &base\n  x: 1\nother:\n  <<: *base\n  y: 3\n")
    assert document.location(("other", "x")).line == 2
    assert document.location(("other", "y")).line == 5


def test_a_key_that_overrides_a_merged_one_has_its_own_place():
    document = parsed("base: &base\n  x: 1\nother:\n  <<: *base\n  x: 2\n")
    assert document.location(("other", "x")).line == 5


def test_a_mapping_that_merges_may_be_referred_to_again():
    text = "base: &base {a: 1}\nnext: &next {<<: *base, a: 2}\nagain: *next\nlast: {<<: *next}\n"
    data = parsed(text).data
    assert data["again"] == {"a": 2}
    assert data["last"] == {"a": 2}


@pytest.mark.parametrize("text", ["a: {<<: 3}\n", "a: {<<: [1]}\n"])
def test_only_mappings_can_be_merged(text):
    problem = refused(text)
    assert place(problem) == ("some.yaml", 1)
    assert "expected a mapping" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a"),
        ("x:\n  k: 1\n  'k': 2\n", 3, "k"),
        ("- {n: 1,\n   n: 2}\n", 2, "n"),
    ],
)
def test_a_key_that_stands_twice_is_told_with_its_second_place(text, line, key):
    problem = refused(text)
    assert place(problem) == ("some.yaml", line)
    assert problem.message == f"the key {key!r} stands twice"


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("on: 1\n", "on"),
        ("1: x\n", "1"),
        ("null: x\n", "null"),
        ("? [a]\n: b\n", "a list or mapping"),
        ("? {a: 1}\n: b\n", "a list or mapping"),
    ],
)
def test_a_key_that_is_no_text_is_told_to_be_quoted(text, received):
    problem = refused(text)
    assert problem.message == "a key must be text"
    assert problem.received == received
    assert "quote" in problem.action
    assert place(problem) == ("some.yaml", 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\nb: 2\n", 2),
        ("a: 1\n\tb: 1\n", 2),
        ("a: *nowhere\n", 1),
        ("a: 'open\n\n", 3),
        ("a: 1\n---\nb: 2\n", 2),
        ("ok: 1\nbad: \x00\n", 2),
        ("ok: 1\nbad: é\x01\n", 2),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text, line):
    problem = refused(text)
    assert problem.message.startswith("not valid YAML")
    assert place(problem) == ("some.yaml", line)


def test_a_control_character_is_told_with_its_column():
    problem = refused("ok: 1\nbad: é\x01\n")
    assert problem.location is not None
    assert problem.location.column == 7
    assert problem.received == "U+0001"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("x: 1\na: !!python/object:os.system ls\n", "tag:yaml.org,2002:python/object:os.system"),
        ("x: 1\na: !own {b: 1}\n", "!own"),
        ("x: 1\na: !own [1]\n", "!own"),
        ("x: 1\na: !!set {b}\n", "tag:yaml.org,2002:set"),
        ("x: 1\na: !!int abc\n", "tag:yaml.org,2002:int"),
        ("x: 1\na: !!bool abc\n", "tag:yaml.org,2002:bool"),
        ("x: 1\na: !!float abc\n", "tag:yaml.org,2002:float"),
    ],
)
def test_a_value_that_is_no_plain_one_is_refused(text, tag):
    problem = refused(text)
    assert problem.message == f"not a plain YAML value: {tag}"
    assert place(problem) == ("some.yaml", 2)


@pytest.mark.parametrize("text", ["x: 1\na: &a [1, *a]\n", "x: 1\na: &a {b: {c: *a}}\n"])
def test_an_alias_within_itself_is_refused(text):
    problem = refused(text)
    assert problem.message == "the alias stands within itself"
    assert place(problem) == ("some.yaml", 2)


def test_the_same_anchor_may_stand_at_many_places():
    assert parsed("a: &a [1]\nb: [*a, *a]\n").data == {"a": [1], "b": [[1], [1]]}


def test_a_file_that_is_missing_is_told_with_its_name(tmp_path: Path):
    problem = only_problem(ConfigurationError, lambda: load_yaml(tmp_path / "nope.yaml"))
    assert place(problem) == ("nope.yaml", 0)
    assert "No such file" in problem.message
    assert problem.action


def test_a_folder_is_no_file(tmp_path: Path):
    assert "Is a directory" in only_problem(ConfigurationError, lambda: load_yaml(tmp_path)).message


@pytest.mark.parametrize(
    ("content", "byte"), [(b"a: \xe9\n", 3), ("a: 1\n".encode("utf-16-le") + b"\xff", 10)]
)
def test_a_file_that_is_not_utf_8_is_told_with_the_byte(tmp_path: Path, content: bytes, byte: int):
    path = tmp_path / "latin.yaml"
    path.write_bytes(content)
    problem = only_problem(ConfigurationError, lambda: load_yaml(path))
    assert problem.message == f"the file is not UTF-8 (byte {byte})"
    assert place(problem) == ("latin.yaml", 0)


def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path: Path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load_yaml(path).data == {"a": 1}


def test_other_data_keep_the_places_of_what_they_were_written_as():
    document = parsed("rule: a\nb: 1\n")
    changed = document.with_data({"metric": "a", "b": 1}, {("metric",): ("rule",), ("x",): ("y",)})
    assert changed.data == {"metric": "a", "b": 1}
    assert [changed.location((key,)).line for key in ("metric", "b", "x")] == [1, 2, 1]
    assert document.data == {"rule": "a", "b": 1}


def test_text_that_only_looks_like_something_else_stays_text():
    document = parsed("a: !!str 1\nb: '1'\nc: \"true\"\nd: =\ne: 2020-01-01\n")
    assert document.data == {"a": "1", "b": "1", "c": "true", "d": "=", "e": "2020-01-01"}
