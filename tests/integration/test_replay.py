"""Quarantined rows judged again: what passes is published once, and the rest stays."""

from __future__ import annotations

import pytest
from support.project import Project, integer, key, number, rows_of_table, text
from support.replays import changed, deliver, held, ids, loaded, orders, replayed

from quality_platform.errors import ConfigurationError, PredicateError, RunnerFileError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.replay import Replay, replay_table
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake.reading import snapshot_of, summary_of


def test_exactly_the_rows_that_pass_now_are_published(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    platform = changed(project, orders(100))
    outcome = replayed(platform)
    assert (outcome.rows_selected, outcome.rows_published, outcome.rows_held) == (2, 1, 1)
    assert (ids(platform), held(platform)) == ([1, 2], [3])


def test_what_stays_tells_its_reasons_of_today_and_where_it_came_from(project: Project) -> None:
    deliver(project, "a", (1, 5), (3, 500))
    (before,) = quarantined_rows(loaded(project), "orders")
    platform = changed(project, orders(100))
    replayed(platform)
    (after,) = quarantined_rows(platform, "orders")
    assert after["_reasons"] == ["amount is not within (-∞, 100]"]
    assert (before["_contract_version"], after["_contract_version"]) == ("1.0.0", "1.1.0")
    judged = {"_reasons", "_contract_version", "_attempt"}
    assert {k: v for k, v in before.items() if k not in judged} == {
        k: v for k, v in after.items() if k not in judged
    }


def test_a_replay_is_told_by_its_snapshot_and_its_run(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    platform = loaded(project)
    (load,) = {row["_load_id"] for row in quarantined_rows(platform, "orders")}
    platform = changed(project, orders(100))
    outcome = replayed(platform, "the replay")
    head = snapshot_of(platform.lake.table("shop.orders"))
    assert head is not None
    summary = summary_of(head)
    assert summary["quality-platform.kind"] == "replay"
    assert summary["quality-platform.run-id"] == "the replay"
    assert summary["quality-platform.replayed-loads"] == load
    assert outcome.loads == (load,)
    run = next(r for r in rows_of_table(platform, "history.runs") if r["run_id"] == "the replay")
    assert (run["state"], run["rows_read"]) == ("replayed", 2)
    assert (run["rows_published"], run["rows_quarantined"]) == (1, 1)


def test_a_dry_run_tells_the_same_and_moves_nothing(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    platform = changed(project, orders(100))
    files = set(platform.home.glob("warehouse/**/*.parquet"))
    tried = replay_table(Replay(platform, "orders", "try", dry_run=True))
    assert (tried.state, tried.rows_published, tried.rows_held) == ("planned", 1, 1)
    assert (ids(platform), held(platform)) == ([1], [2, 3])
    assert set(platform.home.glob("warehouse/**/*.parquet")) == files


def test_rows_that_were_published_by_a_replay_are_not_published_again(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    platform = changed(project, orders(100))
    replayed(platform)
    again = replayed(platform)
    assert (again.rows_selected, again.rows_published, again.rows_held) == (1, 0, 1)
    load_table(platform, "orders", "next run")
    assert (ids(platform), held(platform)) == ([1, 2], [3])


def test_without_quarantined_rows_there_is_nothing_to_replay(project: Project) -> None:
    deliver(project, "a", (1, 5))
    platform = project.table("orders", orders()).open()
    assert replayed(platform).state == "nothing_selected"
    load_table(platform, "orders", "run")
    assert replayed(platform).state == "nothing_selected"
    assert len(rows_of_table(platform, "history.runs")) == 1


@pytest.mark.parametrize(
    ("selected", "published"),
    [
        ({"run": "second run"}, [4]),
        ({"rule": "amount_in_range"}, [2, 4]),
        ({"rule": "name_not_null"}, []),
        ({"since": "2001-01-01"}, [2, 4]),
        ({"since": "2999-01-01T00:00:00Z"}, []),
        ({"where": "id > 2 AND _source_line = 2"}, [4]),
        ({"load": "nowhere"}, []),
    ],
)
def test_only_rows_that_are_selected_are_judged(
    project: Project, selected: dict[str, str], published: list[int]
) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    platform = loaded(project)
    deliver(project, "b", (4, 40), (5, 5000))
    load_table(platform, "orders", "second run")
    platform = changed(project, orders(100))
    before = {row["id"]: row for row in quarantined_rows(platform, "orders")}
    outcome = replayed(platform, **selected)
    assert ids(platform) == sorted([1, *published])
    assert outcome.rows_published == len(published)
    after = {row["id"]: row for row in quarantined_rows(platform, "orders")}
    assert set(after) == {2, 4, 5} - {*published}
    if selected.get("where"):
        assert {**after[5], "_attempt": ""} == {**before[5], "_attempt": ""}


def test_a_selection_that_cannot_be_understood_is_refused(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    platform = loaded(project)
    with pytest.raises(ConfigurationError, match="no time"):
        replayed(platform, since="yesterday")
    with pytest.raises(PredicateError, match="no column"):
        replayed(platform, where="price > 1")
    with pytest.raises(PredicateError, match="not allowed"):
        replayed(platform, where="id IN (SELECT 1)")


def test_a_feature_view_or_an_unknown_table_is_refused(project: Project) -> None:
    with pytest.raises(RunnerFileError, match="no table"):
        replay_table(Replay(project.table("orders", orders()).open(), "customers", "run"))


def test_cells_that_can_be_read_now_are_read_again_from_their_record(project: Project) -> None:
    at = {"logicalType": "timestamp"}
    project.deliver(
        "orders/a.csv",
        'id,amount,at,note\n1,5,2024-01-01 10:00,"a ""b"", c"\n2,x,2024-01-01 10:00,\n'
        '3,6,2024-01-01 11:00,"two\nlines"\n4,1,2024-01-01T10:00:00Z,\n5,1\n',
    )
    platform = loaded(project, orders(at=at, note=text()))
    assert held(platform, "_source_line") == [2, 3, 4, 7]
    zoned = {**at, "logicalTypeOptions": {"defaultTimezone": "Etc/UTC", "timezone": True}}
    platform = changed(project, orders(at=zoned, note=text()))
    outcome = replayed(platform)
    assert (outcome.rows_published, outcome.rows_held) == (2, 2)
    assert sorted(row["note"] or "" for row in rows_of_table(platform, "shop.orders")) == [
        "",
        'a "b", c',
        "two\nlines",
    ]
    assert held(platform, "_source_line") == [3, 7]
    assert {row["_raw_record"] for row in quarantined_rows(platform, "orders")} == {
        "2,x,2024-01-01 10:00,",
        "5,1",
    }


def test_json_lines_with_objects_and_exact_numbers_are_replayed_as_they_are(
    project: Project,
) -> None:
    columns = {
        "id": key(integer()),
        "price": number("decimal(38, 10)"),
        "at": {"logicalType": "timestamp"},
        "lines": {
            "logicalType": "array",
            "items": {
                "logicalType": "object",
                "properties": [
                    {"name": "sku", "logicalType": "string", "required": True},
                    {"name": "sizes", "logicalType": "array", "items": {"logicalType": "integer"}},
                ],
            },
        },
        "amount": integer(logicalTypeOptions={"maximum": 10}),
    }
    source = {"type": "jsonl", "path": "landing/orders/*.jsonl"}
    rows = [
        '{"id":1,"price":1234567890123456789012345678.0123456789,"at":"2024-01-01T00:00:00.000001Z",'
        '"lines":[{"sku":"a","sizes":[1,null]},{"sku":"b"}],"amount":50}',
        '{"id":2,"lines":[],"amount":50}',
        '{"id":3,"amount":50}',
        '{"id":4,"amount":"many"}',
    ]
    project.deliver("orders/a.jsonl", "\n".join([*rows, ""]))
    loaded(project, columns, source=source)
    before = {row["id"]: row for row in quarantined_rows(project.open(), "orders")}
    assert set(before) == {1, 2, 3, None}
    higher = {**columns, "amount": integer(logicalTypeOptions={"maximum": 100})}
    platform = changed(project, higher, source=source)
    assert replayed(platform).rows_published == 3
    published = {row["id"]: row for row in rows_of_table(platform, "shop.orders")}
    assert {n: [row[c] for c in columns] for n, row in published.items()} == {
        n: [row[c] for c in columns] for n, row in before.items() if n
    }
    assert published[2]["lines"] == []
    assert published[3]["lines"] is None
