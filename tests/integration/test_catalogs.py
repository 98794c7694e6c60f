"""Every kind of catalog and store gives the same tables, by configuration alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import lake_story
from support.catalogs import KINDS, lake_of, lake_settings
from support.evolving import NEW_TABLE, orders_1_0, orders_2_0
from support.project import Project, column_of
from support.s3_server import S3Server, s3_server

from quality_platform.flows.load_table import load_table


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_the_life_of_a_lake_is_the_same_everywhere(
    kind: str, project: Project, tmp_path: Path, store: S3Server
) -> None:
    with lake_settings(kind, tmp_path / "lake", store) as settings:
        platform = lake_story.furnished(project, settings)
        lake_story.appended_and_replaced(project, platform)
        lake_story.merged(project, platform)
        lake_story.computed(platform)
        lake_story.rolled_back(platform)
        lake_story.looked_after(platform)
        lake_story.raced(project, platform)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_writers_from_the_same_state_one_commits(
    kind: str, tmp_path: Path, store: S3Server
) -> None:
    with lake_settings(kind, tmp_path / "lake", store) as settings:
        lake_story.only_one_commits(lake_of(settings), lake_of(settings))


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_set_aside_and_its_rows_are_still_read(
    kind: str, project: Project, tmp_path: Path, store: S3Server
) -> None:
    with lake_settings(kind, tmp_path / "lake", store) as settings:
        project.settings["lake"] = settings
        orders_1_0(project)
        platform = orders_2_0(project, NEW_TABLE)
        load_table(platform, "orders", "run-2")
        assert column_of(platform, "shop.orders", "id") == [1]
        assert column_of(platform, "shop.orders_v1", "id") == [2, 3]
        assert load_table(platform, "orders", "run-3").state == "nothing_new"
