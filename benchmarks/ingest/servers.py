"""The databases that are read: started for one run of the benchmark, filled, and gone afterwards.

They are those of the tests (tests/support): on loopback ports of their own, in temporary folders.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.ingest.measure import tree
from benchmarks.measure import ROOT

_TYPES = {
    "postgres": {"DECIMAL(12,2)": "numeric(12,2)", "DOUBLE": "float8", "VARCHAR": "text"},
    "mysql": {"TIMESTAMPTZ": "timestamp(6)", "VARCHAR": "varchar(250)"},
}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Database:
    """A running database with the rows in its table `orders`.

    `limit` is the command that reads them and does nothing else; `process` the server's number.
    """

    kind: str
    url: str
    process: int
    limit: tuple[str, ...]
    fill: Callable[[Path], None]
    rows: int = field(default=0)

    def cpu_seconds(self) -> float:
        """User and system time of the server so far."""
        time.sleep(0.5)  # A session ends a moment after its client.
        return sum(map(_ticks, tree(self.process))) / _TICKS


@contextmanager
def database(kind: str) -> Iterator[Database]:
    """An empty database of the kind `postgres` or `mysql`.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    with {"postgres": _postgres, "mysql": _mysql}[kind]() as found:
        yield found


@contextmanager
def _postgres() -> Iterator[Database]:
    from support.postgres_server import postgres_server

    with postgres_server() as named:
        url = named.replace("+psycopg2", "")

        def sql(*statements: str) -> str:
            options = [part for statement in statements for part in ("-c", statement)]
            command = ["psql", url, "-qAt", *options]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        def fill(file: Path) -> None:
            sql(
                f"DROP TABLE IF EXISTS orders; {_table('postgres')}",
                f"\\copy orders FROM '{file}' CSV HEADER",
                "VACUUM ANALYZE orders",
                "CHECKPOINT",
            )

        process = int(sql("SELECT pg_read_file('postmaster.pid')").split()[0])
        copy = "COPY orders TO STDOUT (FORMAT binary)"
        yield Database("postgres", url, process, ("psql", url, "-c", copy), fill)


@contextmanager
def _mysql() -> Iterator[Database]:
    from support.mariadb_server import DATABASE, mariadb_server

    with mariadb_server() as server:
        url = server.url_with(database=DATABASE)
        parts = urlsplit(url)

        def fill(file: Path) -> None:
            server.run(f"USE {DATABASE}", "DROP TABLE IF EXISTS orders", _table("mysql"))
            server.run("SET GLOBAL local_infile = 1")
            with server.connect(local_infile=True) as connection, connection.cursor() as cursor:
                cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
                cursor.execute(_LOAD.format(file=file, table=f"{DATABASE}.orders"))

        login = (f"-h{parts.hostname}", f"-P{parts.port}", f"-u{parts.username}")
        client = ("mariadb", *login, f"-p{parts.password}", "--quick", "-N", DATABASE)
        process = int(Path(str(server.run("SELECT @@pid_file")[0][0])).read_text(encoding="ascii"))
        yield Database("mysql", url, process, (*client, "-e", "SELECT * FROM orders"), fill)


_LOAD = """
LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} CHARACTER SET utf8mb4
FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' LINES TERMINATED BY '\\n' IGNORE 1 LINES
(order_id, customer_id, email, sku, status, quantity, price, @discount, @created_at, @note)
SET discount = nullif(@discount, ''), note = nullif(@note, ''),
    created_at = replace(left(@created_at, 26), 'T', ' ')
"""


def _table(kind: str) -> str:
    from benchmarks.ingest.rows import COLUMNS, OPTIONAL

    columns = (
        f"{name} {_TYPES[kind].get(type_, type_)}{'' if name in OPTIONAL else ' NOT NULL'}"
        for name, type_ in COLUMNS.items()
    )
    return f"CREATE TABLE orders ({', '.join(columns)})"


def _ticks(pid: int) -> int:
    """User and system time of a process and of its ended children, in ticks of the clock."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0
    # Behind the name, which may hold anything.
    fields = status.rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))
