"""The source position of a table: what was published, and by which attempt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quality_platform.lake.position import PROPERTY, Position, SourceVersion


def stored(position: Position) -> Position:
    """The position as it comes back from a table's properties."""
    return Position.of({"other": "x", **position.as_properties()})


def test_a_position_of_before_stamps_and_counts_is_read_as_it_was_meant():
    entry = '{"version":"v","load_id":"l","attempt":"a"}'
    old = Position.of({PROPERTY: f'{{"sources":{{"f":{entry}}},"attempts":["x","a"]}}'})

    assert old == Position({"f": SourceVersion("v", "l", "a")}, ("x", "a"), 2)
    assert old.is_of_a_load


def test_a_stamp_comes_back_and_takes_no_room_where_there_is_none():
    position = Position().advanced(
        {"a": "v", "b": "v"}, "load", "try", replace=False, stamps={"a": "5-17"}
    )
    assert stored(position).sources["a"] == SourceVersion("v", "load", "try", "5-17")
    assert position.as_properties()[PROPERTY].count("stamp") == 1


def test_an_attempt_that_held_nothing_back_is_counted_and_not_named():
    first = Position().advanced({"a": "v"}, "load1", "try1", replace=False, held=False)
    second = first.advanced({"b": "v"}, "load2", "try2", replace=False, held=True)

    assert (second.attempts, second.loads) == (("try2",), 2)
    assert first.is_of_a_load
    assert not Position().is_of_a_load
    assert second.known_attempts == {"try1", "try2"}
    assert stored(second) == second


def test_the_property_does_not_grow_with_the_loads_of_one_source():
    position = Position()
    for n in range(1000):
        position = position.advanced({"t": f"{n}"}, f"l{n}", f"t{n}", replace=False, held=False)

    assert len(position.as_properties()[PROPERTY]) < 200
    assert position.loads == 1000


def test_a_table_without_the_property_has_seen_nothing():
    assert Position.of({"other": "x"}) == Position()
    assert Position() == Position({}, ())


def test_a_position_comes_back_from_the_property():
    position = Position(
        {"b/é.csv": SourceVersion("v2", "l", "a"), 'quo"te': SourceVersion("v1", "l", "a")},
        ("a0", "a"),
    )
    back = stored(position)
    assert back == position
    assert back.sources == position.sources
    assert back.attempts == ("a0", "a")


def test_a_load_adds_its_sources_and_its_attempt():
    first = Position().advanced({"a": "v1", "b": "v1"}, "load1", "try1", replace=False)
    second = first.advanced({"b": "v2", "c": "v1"}, "load2", "try2", replace=False)
    assert second.sources == {
        "a": SourceVersion("v1", "load1", "try1"),
        "b": SourceVersion("v2", "load2", "try2"),
        "c": SourceVersion("v1", "load2", "try2"),
    }
    assert second.attempts == ("try1", "try2")


def test_a_load_that_replaces_forgets_the_sources_but_no_attempt():
    first = Position().advanced({"a": "v1"}, "load1", "try1", replace=False)
    second = first.advanced({"b": "v1"}, "load2", "try2", replace=True)
    assert second.sources == {"b": SourceVersion("v1", "load2", "try2")}
    assert second.attempts == ("try1", "try2")


def test_advancing_leaves_the_position_before_as_it_was():
    first = Position().advanced({"a": "v1"}, "load1", "try1", replace=False)
    first.advanced({"a": "v2"}, "load2", "try2", replace=False)
    assert first.sources == {"a": SourceVersion("v1", "load1", "try1")}


def test_the_same_position_is_always_the_same_text():
    one = Position({"a": SourceVersion("1", "l", "t"), "b": SourceVersion("2", "l", "t")}, ("t",))
    two = Position({"b": SourceVersion("2", "l", "t"), "a": SourceVersion("1", "l", "t")}, ("t",))
    assert one.as_properties() == two.as_properties()
    assert list(one.as_properties()) == [PROPERTY]


def test_a_version_cannot_be_changed():
    version = SourceVersion("v", "l", "t")
    with pytest.raises(AttributeError):
        version.version = "w"


def test_attempts_that_a_replay_takes_over_are_replaced_by_its_own() -> None:
    position = Position(attempts=("a", "b", "c"), loads=3)
    assert position.replayed({"a", "c"}, "r") == Position(attempts=("b", "r"), loads=3)
    assert position.replayed({"a", "b", "c"}, "") == Position(loads=3)


def test_what_is_outdated_is_stored_and_comes_back_with_the_position_before() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    first = Position(attempts=("a",), loads=1).outdating(moment, '"id" >= 5')
    earlier = "_quarantined_at < TIMESTAMPTZ '2026-01-02T00:00:00+00:00'"
    assert first.outdated == f'({earlier} AND ("id" >= 5))'
    assert Position.of(first.as_properties()) == first
    assert first.outdating(moment).outdated == earlier
    assert first.outdating(moment, "TRUE").outdated == f"{first.outdated} OR ({earlier} AND (TRUE))"
