"""Where jobs of Dativo write, as our lake; and who asks their databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.dativo import DativoProject, broken

from quality_platform.config.environment import environment
from quality_platform.errors import ConfigurationError, EnvironmentVariableError
from quality_platform.flows.platform import open_platform
from quality_platform.secrets.environment import EnvironmentSecrets
from quality_platform.secrets.store import SecretStore

NESSIE = """target:
  branch: oak
  warehouse: s3://lake/oak/
  connection:
    nessie: {uri: "http://nessie.example.org:19120/api/v1"}
    s3: {bucket: oak-lake, endpoint: "${S3:-http://minio:9000}", path_style_access: true,
         access_key_id: "${KEY}", secret_access_key: "${SECRET}", region: eu-north-1}
"""


@pytest.fixture
def dativo(tmp_path: Path) -> DativoProject:
    return DativoProject.copied(tmp_path / "project")


def test_nessie_is_a_rest_catalog_on_the_branch_of_the_job(dativo: DativoProject):
    dativo.schedule("jobs/oak/visits.yaml")
    dativo.add("jobs/oak/visits.yaml", NESSIE)

    lake = dativo.read(KEY="k", SECRET="s").config.lake
    assert lake.catalog.type == "rest"
    assert lake.catalog.uri.get_secret_value() == "http://nessie.example.org:19120/iceberg/oak"
    assert lake.warehouse == "s3://lake/oak/"
    properties = {key: v.get_secret_value() for key, v in lake.catalog.properties.items()}
    assert properties == {
        "s3.endpoint": "http://minio:9000",
        "s3.force-virtual-addressing": "false",
        "s3.region": "eu-north-1",
        "s3.access-key-id": "k",
        "s3.secret-access-key": "s",
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://n:1/api/v2/", "http://n:1/iceberg/oak"),
        ("http://n:1", "http://n:1/iceberg/oak"),
        ("http://n:1/iceberg", "http://n:1/iceberg/oak"),
        ("http://n:1/iceberg/main", "http://n:1/iceberg/main"),
    ],
)
def test_the_branch_of_a_job_is_its_tenant_where_it_says_none(
    dativo: DativoProject, address: str, expected: str
):
    dativo.schedule("jobs/oak/visits.yaml")
    dativo.add("jobs/oak/visits.yaml", "target: {catalog: nessie}\n")

    uri = dativo.read(NESSIE_URI=address).config.lake.catalog.uri
    assert uri.get_secret_value() == expected


def test_a_bucket_without_a_catalog_is_a_warehouse(dativo: DativoProject):
    dativo.schedule("jobs/oak/visits.yaml")
    dativo.add("jobs/oak/visits.yaml", "target: {connection: {s3: {bucket: park}}}\n")

    lake = dativo.read().config.lake
    assert (lake.catalog.type, lake.warehouse) == ("sql", "s3://park")


def test_files_have_the_size_of_job_or_connector(dativo: DativoProject):
    of_connector = dativo.read().config.lake.target_file_size
    dativo.add("jobs/oak/visits.yaml", "target: {parquet_target_size_mb: 64}\n")

    assert (of_connector, dativo.read().config.lake.target_file_size) == ("200MB", "64MB")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[ingest_date]", ()),
        ("[park]", ("park",)),
        ("[ingest_date, park, entered_at]", ("park", "day(entered_at)")),
    ],
)
def test_files_are_divided_by_columns_and_by_days_of_times(
    dativo: DativoProject, written: str, expected: tuple[str, ...]
):
    dativo.add("jobs/oak/visits.yaml", f"target: {{partitioning: {written}}}\n")

    assert dativo.read().config.tables["oak_park_visits"].partition_by == expected


def test_a_job_with_another_lake_is_told_of_both(dativo: DativoProject):
    dativo.schedule("jobs/oak/visits.yaml", "jobs/oak/guests.yaml")
    dativo.add("jobs/oak/visits.yaml", "target: {warehouse: s3://one}\n")
    dativo.add("jobs/oak/guests.yaml", "target: {warehouse: s3://two}\n")

    file = dativo.read()
    assert file.config.lake.warehouse == "s3://one"
    message = broken(file)["oak_park_guests"]
    assert "guests.yaml:14" in message
    assert "lake.warehouse differs from that of another job" in message
    assert "visits.yaml:27" in message


def test_the_folder_within_a_bucket_makes_no_other_lake(dativo: DativoProject):
    dativo.schedule("jobs/oak/visits.yaml", "jobs/oak/guests.yaml")
    for name in ("visits", "guests"):
        target = f"target: {{connection: {{s3: {{bucket: park, prefix: raw/{name}}}}}}}\n"
        dativo.add(f"jobs/oak/{name}.yaml", target)

    assert broken(dativo.read()) == {}


def test_a_lake_whose_variables_are_not_set_is_an_error_of_the_whole_file(dativo: DativoProject):
    dativo.schedule("jobs/oak/visits.yaml", "jobs/oak/guests.yaml")
    dativo.add("jobs/oak/visits.yaml", NESSIE)

    with pytest.raises(EnvironmentVariableError, match="KEY is not set"):
        dativo.read()


def url_of(dativo: DativoProject, **variables: str) -> str:
    """The URL of the ledger's database, its secrets taken from the environment."""
    file = dativo.read(**variables)
    file.secrets.bind(SecretStore(EnvironmentSecrets()))
    return file.config.connections["oak_ledger"].url.get_secret_value()


def test_a_connection_is_put_together_and_quoted(dativo: DativoProject):
    dativo.change("jobs/oak/ledger.yaml", "sslmode: disable", "user: me, password: 'p@ss/word'")

    # PGHOST of the connector is not asked for: the job names the host.
    assert url_of(dativo) == "postgresql://me:p%40ss%2Fword@db.example.org:5432/shop"


def test_a_password_that_nobody_writes_is_asked_for_when_it_is_needed(
    dativo: DativoProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGUSER", "me")
    monkeypatch.setenv("PGPASSWORD", "first")
    file = dativo.read(**environment())
    file.secrets.bind(SecretStore(EnvironmentSecrets()))
    monkeypatch.setenv("PGPASSWORD", "se/cond")

    url = file.config.connections["oak_ledger"].url
    assert url.get_secret_value() == (
        "postgresql://me:se%2Fcond@db.example.org:5432/shop?sslmode=disable"
    )
    assert {reference.name for reference in url.references} == {"PGUSER", "PGPASSWORD"}


def test_secrets_of_the_tenant_come_before_those_of_all(
    dativo: DativoProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATIVO_SECRET__GLOBAL__PGUSER", "everybody")
    monkeypatch.setenv("DATIVO_SECRET__GLOBAL__PGPASSWORD__text", "shared")
    monkeypatch.setenv("DATIVO_SECRET__birch__PGPASSWORD", "another-tenants")
    monkeypatch.setenv("DATIVO_SECRET__OAK__postgres__json", json.dumps({"PGPASSWORD": "own"}))

    assert url_of(dativo, **environment()).startswith("postgresql://everybody:own@")


def test_the_file_of_credentials_is_read(dativo: DativoProject):
    secrets = dativo.folder / "secrets" / "oak" / "postgres.env"
    secrets.parent.mkdir(parents=True)
    secrets.write_text("# of the tenant\nexport PGUSER=me\nPGPASSWORD='it''s'\n")

    assert url_of(dativo).startswith("postgresql://me:it%27%27s@")


def test_a_secret_of_our_own_may_be_written_in_a_job(
    dativo: DativoProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LEDGER", "p w")
    dativo.change(
        "jobs/oak/ledger.yaml", "sslmode: disable", 'user: me, password: "${secret:LEDGER}"'
    )
    assert url_of(dativo).startswith("postgresql://me:p%20w@")

    dativo.change("jobs/oak/ledger.yaml", "${secret:LEDGER}", "x${secret:LEDGER}")
    assert "a secret must stand alone here" in broken(dativo.read())["oak_ledger"]


def test_no_password_is_ever_shown(dativo: DativoProject, home: Path):
    dativo.change(
        "jobs/oak/ledger.yaml", "connection: {", "dsn: postgresql://me:canary7@h/d\n  connection: {"
    )
    dativo.schedule("jobs/oak/ledger.yaml", "jobs/oak/guests.yaml")
    dativo.add("jobs/oak/guests.yaml", "nonsense: 1\n")

    platform = open_platform(dativo.runner)
    shown = [repr(platform.runner), str(platform.runner.config), str(platform.runner.document.data)]
    shown += [str(part.error) for part in platform.broken]
    assert platform.runner.config.connections["oak_ledger"].url.get_secret_value().count("canary7")
    # In Dativo the password of a DSN stays in the logs.
    assert not any("canary7" in text for text in shown)


def test_a_platform_of_one_file_is_strict_where_it_is_asked_to_be(
    dativo: DativoProject, home: Path
):
    with pytest.raises(ConfigurationError, match="zendesk"):
        open_platform(dativo.runner, strict=True)


@pytest.mark.parametrize(
    ("rate", "expected"), [("7", (7, "1s")), ("2.5", (2, "1s")), ("0.2", (1, "5s"))]
)
def test_the_rate_of_a_connector_is_that_of_its_connection(
    dativo: DativoProject, rate: str, expected: tuple[int, str]
):
    dativo.change("connectors/postgres.yaml", "rps_default: 7", f"rps_default: {rate}")

    limit = dativo.read().config.connections["oak_ledger"].rate_limit
    assert (limit.requests, limit.period) == expected


def test_a_rate_that_is_none_breaks_the_table(dativo: DativoProject):
    dativo.change("connectors/postgres.yaml", "rps_default: 7", "rps_default: 0")

    assert "must be a number of requests in a second" in broken(dativo.read())["oak_ledger"]
