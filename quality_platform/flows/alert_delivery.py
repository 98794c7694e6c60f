"""Telling hooks: by HTTP, by a command, by the log. What fails is an AlertError without secrets."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from quality_platform.config.alert_models import AnyHook, CommandConfig, LogConfig, WebhookConfig
from quality_platform.config.environment import environment
from quality_platform.errors import AlertError
from quality_platform.flows.alerts import Alert

LOGGER = "quality_platform.alerts"
"""The logger of the hooks of type `log`."""

SIGNATURE = "X-Signature-256"
"""The header of the signature: `sha256=` and the HMAC of the body in hexadecimal."""

_INHERITED = ("PATH", "HOME", "LANG")


def deliver(hook: AnyHook, name: str, alert: Alert, folder: Path) -> None:
    """Tells a hook of an alert; `folder` is where its command begins.

    Raises:
        AlertError: it could not be told; it may have heard all the same.
        SecretError: a secret of the hook cannot be had.
    """
    match hook:
        case WebhookConfig():
            _post(hook, name, alert)
        case CommandConfig():
            _run(hook, name, alert, folder)
        case LogConfig():
            level = logging.ERROR if alert.severity == "error" else logging.WARNING
            logging.getLogger(LOGGER).log(level, "%s", alert.to_json())


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the signature and the headers to somebody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(hook: WebhookConfig, name: str, alert: Alert) -> None:
    url, body = hook.url.get_secret_value(), alert.to_json().encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "quality-platform",
        "Idempotency-Key": alert.id,
        **{header: text.get_secret_value() for header, text in hook.headers.items()},
    }
    if hook.signing_key is not None:
        key = hook.signing_key.get_secret_value().encode()
        headers[SIGNATURE] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
    if not url.startswith(("https://", "http://")):
        raise _failed(name, "its address is none of the web", "correct `url`")
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - see above
        opener.open(request, timeout=hook.timeout_seconds).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(name, f"it answered with HTTP {error.code}") from None
    except TimeoutError:
        raise _failed(name, f"no answer within {hook.timeout_seconds:g} s") from None
    except (OSError, urllib.error.URLError) as error:
        raise _failed(name, f"it cannot be reached ({_reason(error)})") from None
    except (ValueError, http.client.HTTPException) as error:
        # The text of the error holds the address, or the value of a header.
        raise _failed(name, f"the request cannot be sent ({type(error).__name__})") from None


def _reason(error: OSError) -> str:
    """The kind of what went wrong: a text could hold the address."""
    cause = getattr(error, "reason", error)
    return type(cause).__name__ if isinstance(cause, BaseException) else type(error).__name__


def _run(hook: CommandConfig, name: str, alert: Alert, folder: Path) -> None:
    known = environment()
    variables = {key: known[key] for key in _INHERITED if key in known}
    variables |= {key: text.get_secret_value() for key, text in hook.environment.items()}
    try:
        ended = subprocess.run(  # noqa: S603 - the command of runner.yaml, without a shell
            hook.command,
            input=alert.to_json().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=variables,
            timeout=hook.timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(name, f"the command took longer than {hook.timeout_seconds:g} s") from None
    except (OSError, ValueError) as error:
        raise _failed(name, f"the command cannot be run ({type(error).__name__})") from None
    if ended.returncode:
        raise _failed(name, f"the command ended with the exit code {ended.returncode}")


def _failed(name: str, reason: str, action: str = "") -> AlertError:
    return AlertError(
        f"the hook {name} could not be told: {reason}", field=f"alerts.hooks.{name}", action=action
    )
