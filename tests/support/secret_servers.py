"""Servers that speak the protocols of four providers of secrets, on loopback ports of their own.

They know what a real one says of a secret that is there, is not there, or is refused; the vendors'
own clients talk to them.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

TOKEN = "canary-token-5f21"
"""What opens each of the servers."""

ACCOUNT = "platform@p.iam"
"""Who opens that of Google's."""

Answer = tuple[int, Any]


@dataclass
class SecretServer:
    """One server: what it knows, and how it behaves.

    Attributes:
        secrets: Texts or fields, by name.
        behaviour: `ok`; `refuses`; `broken` (status 500), `slow` (a second).
        left: After so many requests it is `ok` again; None for never.
        asked: The paths that it was asked for.
    """

    secrets: dict[str, Any] = field(default_factory=dict)
    behaviour: str = "ok"
    left: int | None = None
    asked: list[str] = field(default_factory=list)
    token: str = TOKEN
    url: str = ""

    scheme: ClassVar[str] = "http"

    def behaves(self, behaviour: str, *, times: int | None = None) -> None:
        """Changes how it behaves, for so many requests."""
        self.behaviour, self.left = behaviour, times

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer of a request, by how the server behaves."""
        if (login := self.login(path, headers, body)) is not None:
            return login
        self.asked.append(path)
        behaviour = self.behaviour
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.behaves("ok")
        if behaviour == "slow":
            time.sleep(1.5)
        if behaviour == "broken":
            return self.refusal(500)
        if behaviour == "refuses" or not self.opens(headers):
            return self.refusal(403)
        name = self.name_in(path, body)
        return self.found(self.secrets[name]) if name in self.secrets else self.refusal(404)

    def login(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """The answer of a request that logs in; None for others."""
        return None

    def opens(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from who it should."""
        return headers.get("Authorization") == f"Bearer {self.token}"

    def name_in(self, path: str, body: bytes) -> str:
        """The secret that is asked for."""
        raise NotImplementedError

    def found(self, secret: Any) -> Answer:
        """The answer with a secret."""
        raise NotImplementedError

    def refusal(self, status: int) -> Answer:
        """The answer of this status."""
        raise NotImplementedError


class VaultServer(SecretServer):
    """HashiCorp Vault, its key-value engine at `secret`, versions 1 (at `old`) and 2."""

    def login(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if not path.startswith("/v1/auth/"):
            return None
        asked = json.loads(body)
        if asked not in ({"role_id": "role", "secret_id": TOKEN}, {"role": "pod", "jwt": TOKEN}):
            return 400, {"errors": ["invalid role or secret ID"]}
        return 200, {"auth": {"client_token": self.token, "lease_duration": 60}}

    def opens(self, headers: Mapping[str, str]) -> bool:
        return headers.get("X-Vault-Token") == self.token

    def name_in(self, path: str, body: bytes) -> str:
        self._is_old = path.startswith("/v1/old/")
        return path.removeprefix("/v1/old/").removeprefix("/v1/secret/data/").partition("?")[0]

    def found(self, secret: Any) -> Answer:
        fields = secret if isinstance(secret, dict) else {"value": secret}
        return 200, {"data": fields if self._is_old else {"data": fields, "metadata": {}}}

    def refusal(self, status: int) -> Answer:
        return status, {"errors": ["permission denied"] if status == 403 else []}


class AwsServer(SecretServer):
    """AWS Secrets Manager."""

    def opens(self, headers: Mapping[str, str]) -> bool:
        return headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"

    def name_in(self, path: str, body: bytes) -> str:
        return str(json.loads(body)["SecretId"])

    def found(self, secret: Any) -> Answer:
        if isinstance(secret, bytes):
            return 200, {"SecretBinary": base64.b64encode(secret).decode()}
        text = json.dumps(secret) if isinstance(secret, dict) else secret
        return 200, {"SecretString": text, "Name": "x"}

    def refusal(self, status: int) -> Answer:
        kinds = {404: "ResourceNotFoundException", 403: "AccessDeniedException"}
        kind = kinds.get(status, "InternalServiceError")
        return (500 if status == 500 else 400), {"__type": kind, "Message": "no"}


class GcpServer(SecretServer):
    """Google Cloud's Secret Manager of the project `p`."""

    def opens(self, headers: Mapping[str, str]) -> bool:
        # The account's own statement of who it is, signed: a JWT.
        claims = headers.get("Authorization", "").removeprefix("Bearer ").split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return bool(told["iss"] == ACCOUNT)

    def name_in(self, path: str, body: bytes) -> str:
        name = path.removeprefix("/v1/projects/p/secrets/").partition("?")[0]
        return name.removesuffix("/versions/latest:access")

    def found(self, secret: Any) -> Answer:
        data = secret if isinstance(secret, bytes) else _text(secret).encode()
        return 200, {"payload": {"data": base64.b64encode(data).decode()}}

    def refusal(self, status: int) -> Answer:
        return status, {"error": {"code": status, "message": "no", "status": "NO"}}


class AzureServer(SecretServer):
    """Azure Key Vault, over TLS as its client insists; `login` is a managed identity's."""

    scheme: ClassVar[str] = "https"

    def login(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if path.startswith("/identity"):
            end = int(time.time()) + 3600
            return 200, {"access_token": self.token, "expires_on": end, "token_type": "Bearer"}
        return None if "Authorization" in headers else (401, {})

    def name_in(self, path: str, body: bytes) -> str:
        return path.split("/")[2].partition("?")[0]

    def found(self, secret: Any) -> Answer:
        return 200, {"value": _text(secret), "id": f"{self.url}/secrets/x/1", "attributes": {}}

    def refusal(self, status: int) -> Answer:
        return status, {"error": {"code": "Forbidden", "message": "no"}}


class TellTale(SecretServer):
    """Refuses every request, and repeats what it holds in its answer, as S3 does with key ids."""

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.asked.append(path)
        return 403, {"Message": f"{headers.get('Authorization')} {self.secrets}"}


def _text(secret: Any) -> str:
    return json.dumps(secret) if isinstance(secret, dict) else str(secret)


class _Handler(BaseHTTPRequestHandler):
    """Gives every request to the server that it belongs to."""

    protocol_version = "HTTP/1.1"
    asked: SecretServer

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        status, content = self.asked.answer(self.path, self.headers, self.rfile.read(length))
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 401:
            # The client checks that the vault is a host of the domain that it names.
            domain = self.headers["Host"].partition(".")[2]
            challenge = f'Bearer authorization="https://login.test/t", resource="https://{domain}"'
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests' output is for the tests."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            # A client that waits no longer, or that does not trust the certificate, hangs up.
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hung up."""


@contextmanager
def serving(server: SecretServer, certificate: Path | None = None) -> Iterator[str]:
    """Has a server answer; gives its URL."""
    handler = type("Handler", (_Handler,), {"asked": server})
    http = _Server(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        http.socket = context.wrap_socket(
            http.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    scheme = "http" if certificate is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def private_key() -> tuple[Any, str]:
    """A new RSA key, and it as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key, text.decode()


def write_certificate(path: Path) -> Path:
    """Writes a certificate for 127.0.0.1 that signs itself, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key, text = private_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_text(text + certificate.public_bytes(serialization.Encoding.PEM).decode())
    return path


def write_service_account(path: Path) -> Path:
    """Writes the key file of a service account of Google's."""
    content = {
        "type": "service_account",
        "client_email": ACCOUNT,
        "private_key_id": "1",
        "private_key": private_key()[1],
        "token_uri": "https://login.test/token",
    }
    path.write_text(json.dumps(content))
    return path
