"""Serves the Dagster UI and runs the daemon on the same instance until Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

BIN = Path(sys.executable).parent
STOP_SECONDS = 15


def is_taken(port: int) -> bool:
    """Whether somebody else already listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(port: int) -> list[subprocess.Popen[bytes]]:
    """The webserver and the daemon, as processes that take signals of their own."""
    quiet = ["--workspace", "workspace.yaml", "--log-level", "warning"]
    commands = [
        [BIN / "dagster-webserver", "--host", "127.0.0.1", "--port", str(port), *quiet],
        [BIN / "dagster-daemon", "run", *quiet],
    ]
    # A session of their own: Ctrl-C reaches this process alone, which then stops them in order.
    return [subprocess.Popen(command, start_new_session=True) for command in commands]


def wait_until_served(port: int, processes: list[subprocess.Popen[bytes]]) -> bool:
    """Whether the webserver answered before a process ended."""
    while all(process.poll() is None for process in processes):
        try:
            with urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2):
                return True
        except (URLError, OSError):
            time.sleep(0.3)
    return False


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ends the processes, by force where asking does not help."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def interrupted(_signal: int, _frame: object) -> None:
    """Makes a termination look like Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Runs until interrupted; 1 when a process ended by itself."""
    port = int(sys.argv[1])
    if is_taken(port):
        sys.stderr.write(f"Port {port} is taken. Choose another: make ui PORT={port + 1}\n")
        return 2
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    processes = start(port)
    try:
        if wait_until_served(port, processes):
            sys.stdout.write(f"Dagster is on http://localhost:{port} (Ctrl-C stops it)\n")
            sys.stdout.flush()
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        stop(processes)
    return 1


if __name__ == "__main__":
    sys.exit(main())
