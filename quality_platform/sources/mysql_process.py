"""The process that asks MySQL through connectorx, for `mysql_session.py`.

connectorx buffers without a limit whatever its reader has not fetched yet, holds Python's lock
while it waits, tries a wrong password again for 30 seconds, and writes what it panics about,
values of rows included, to standard error. In a process of its own, whose results go to a file as
fast as they come, none of that reaches the platform.

It reads requests from standard input, a JSON object on each line: first `{"url", "setup"}`, then
`{"sql", "rows"}` for each query. On standard output it tells, a JSON object on each line too, what
it has written to the file: `{"schema": bytes}`, then `{"batch": bytes}` for each record batch, and
`{"end": true}`; or `{"error": text}`. The file has the messages of Arrow's IPC format one after
the other.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import connectorx
import pyarrow as pa


def main(output: int) -> None:
    """Answers requests until there are no more; `output` is the file's descriptor."""
    first = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        request = json.loads(line)
        try:
            _answer(first["url"], first["setup"], request, output)
        except (KeyboardInterrupt, SystemExit, BrokenPipeError):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception
            _tell({"error": str(error)})


def _answer(url: str, setup: list[str], request: dict[str, Any], output: int) -> None:
    reader: Any = connectorx.read_sql(
        url,
        request["sql"],
        return_type="arrow_stream",
        protocol="binary",
        batch_size=request["rows"],
        pre_execution_query=setup,
    )
    _tell({"schema": _write(output, reader.schema.serialize())})
    for batch in reader:
        _tell({"batch": _write(output, batch.serialize())})
    _tell({"end": True})


def _write(output: int, message: pa.Buffer) -> int:
    """Writes the whole message; gives its size in bytes."""
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(output, rest) :]
    return message.size


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
