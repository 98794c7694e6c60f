"""A relay before a real server: it can be started late, and counts who connects."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from support.local_servers import free_port


class Relay:
    """Passes connections on to the server of a URL once it is started.

    Attributes:
        port: Where it listens, on loopback.
        connections: How many were made so far.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 0)
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.connections = 0

    @property
    def url(self) -> str:
        """The server's URL, by way of the relay."""
        host, port = self._server
        return self._url.replace(f"{host}:{port}", f"127.0.0.1:{self.port}")

    def start(self) -> None:
        """Begins to listen; before, connections are refused."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def stop(self) -> None:
        """Listens no more."""
        if self._listener is not None:
            # Closing alone would not wake the thread that waits for a connection.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            back = threading.Thread(target=_pass_on, args=[server, client], daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
