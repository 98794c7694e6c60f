"""A platform whose every secret is a canary in a Vault, and the places where none may sing."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import redis
from support.postgres_database import PostgresDatabase, postgres_database
from support.project import Project, integer, text
from support.s3_server import S3Server
from support.secret_servers import TOKEN, VaultServer

USERS = {"shop": "qp_test_canary_reader", "lake": "qp_test_canary_keeper"}
PASSWORDS = {"shop": "canary-3d1f-shop/@%", "lake": "canary-77ea-lake/@%"}
S3_KEYS = {"id": "canary-91c0-id", "key": "canary-0b2d-key", "token": "canary-c4c4-token"}
REDIS_PASSWORD = "canary-5aa1-redis"
MARKS = ("canary-3d1f", "canary-77ea", "canary-91c0", "canary-0b2d", "canary-c4c4", "canary-5aa1",
         "canary-f00d", TOKEN)  # fmt: skip
"""What each secret begins with; `canary-f00d` begins those that are wrong."""


@dataclass
class World:
    """The servers around a project, and the Vault that knows what opens them.

    `endpoints` are other stores than `s3`, for the source `visits` or for the `lake`.
    """

    database: PostgresDatabase
    redis: str
    s3: S3Server
    bucket: str
    vault: VaultServer
    endpoints: dict[str, str] = field(default_factory=dict)

    @property
    def database_address(self) -> str:
        """Host, port and name of the database."""
        return self.database.url.rpartition("@")[2]

    def reset(self) -> None:
        """Puts the right secrets into the Vault."""
        host = self.database_address.partition("/")[0]
        self.endpoints = {}
        self.vault.behaves("ok")
        self.vault.secrets = {
            "shop": {"password": PASSWORDS["shop"], "host": host},
            "lake": {"password": PASSWORDS["lake"], "host": host},
            "s3": dict(S3_KEYS),
            "redis": {"url": self.redis},
        }

    def furnish(self, project: Project) -> Project:
        """A table from the database, and one from the store; the lake is in both."""
        name = self.database_address.partition("/")[2]
        address = f"${{secret:%s#password|url}}@${{secret:%s#host}}/{name}"
        storage = {
            "endpoint": self.endpoints.get("visits", self.s3.endpoint),
            "region": "us-east-1",
            "access_key_id": "${secret:s3#id}",
            "secret_access_key": "${secret:s3#key}",
            "session_token": "${secret:s3#token}",
        }
        project.settings = {
            "secrets": {
                "type": "vault",
                "address": self.vault.url,
                "token": "${QP_TEST_VAULT_TOKEN}",
                "retries": 0,
                "timeout": "1s",
            },
            "retries": {"max_retries": 0, "opening_seconds": 0},
            "rate_limits": {"store": "${secret:redis#url}"},
            "connections": {
                "shop_db": {
                    "url": f"postgresql://{USERS['shop']}:{address % ('shop', 'shop')}",
                    "connect_timeout": "3s",
                    "rate_limit": {"requests": 1000},
                }
            },
            "lake": {
                "warehouse": f"s3://{self.bucket}/{project.folder.parent.name}",
                "catalog": {
                    "type": "sql",
                    "name": project.folder.parent.name,
                    "uri": f"postgresql+psycopg2://{USERS['lake']}:{address % ('lake', 'lake')}",
                    "properties": {
                        "s3.endpoint": self.endpoints.get("lake", self.s3.endpoint),
                        "s3.region": "us-east-1",
                        "s3.access-key-id": "${secret:s3#id}",
                        "s3.secret-access-key": "${secret:s3#key}",
                        "s3.session-token": "${secret:s3#token}",
                    },
                },
            },
        }
        columns = {"id": integer(), "name": text()}
        project.table("visits", {"id": integer()}, path=f"s3://{self.bucket}/visits/*.csv")
        project.tables["visits"]["source"]["storage"] = storage
        project.table("orders", columns, load={"mode": "replace"})
        project.tables["orders"]["source"] = {
            "type": "postgres",
            "connection": "shop_db",
            "table": "orders",
        }
        return project


@contextmanager
def world(postgres: str, redis_url: str, s3: S3Server, vault: VaultServer) -> Iterator[World]:
    """A database with roles of these passwords, a Redis user, a bucket; the roles go at the end."""
    client = redis.Redis.from_url(redis_url)
    user = "qp_test_canary"
    with postgres_database(postgres) as database:
        database.run(
            "CREATE TABLE orders (id bigint, name text)",
            "INSERT INTO orders VALUES (1, 'x'), (2, 'y')",
            *(f"CREATE ROLE {USERS[n]} LOGIN PASSWORD '{p}'" for n, p in PASSWORDS.items()),
            f"GRANT SELECT ON orders TO {USERS['shop']}",
            f"GRANT CREATE, USAGE ON SCHEMA public TO {USERS['lake']}",
        )
        client.execute_command("ACL", "SETUSER", user, "on", f">{REDIS_PASSWORD}", "~*", "+@all")
        parts = urllib.parse.urlsplit(redis_url)
        address = f"redis://{user}:{REDIS_PASSWORD}@{parts.hostname}:{parts.port}/0"
        bucket = s3.bucket("qp-test-canaries")
        s3.put(bucket, "visits/1.csv", b"id\n1\n2\n")
        try:
            yield World(database, address, s3, bucket, vault)
        finally:
            client.execute_command("ACL", "DELUSER", user)
            client.close()
            names = ", ".join(USERS.values())
            database.run(f"DROP OWNED BY {names}", f"DROP ROLE {names}")


def singing(*texts: str) -> set[str]:
    """The marks of secrets that are in any of these texts, as they are or as a URL has them."""
    return {mark for mark in MARKS for shown in texts if mark in shown}


def texts_of_files(*folders: Path) -> dict[str, str]:
    """Every file of some folders as text, by its path; bytes that are none are left out."""
    return {
        str(path): path.read_bytes().decode("utf-8", errors="ignore")
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def texts_of_dagster(instance: dg.DagsterInstance) -> list[str]:
    """All that an instance keeps of its runs: events, configuration, tags, snapshots."""
    found = []
    for record in instance.get_run_records():
        run = record.dagster_run
        found += [repr(run), dg.serialize_value(run)]
        found += [dg.serialize_value(entry) for entry in instance.all_logs(run.run_id)]
        if run.job_snapshot_id:
            found.append(repr(instance.get_job_snapshot(run.job_snapshot_id)))
    return found


def texts_of_store(server: S3Server, bucket: str) -> list[str]:
    """All objects of a bucket as text."""
    listed = server.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    bodies = [server.client.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in listed]
    return [*(o["Key"] for o in listed), *(b.decode("utf-8", errors="ignore") for b in bodies)]
