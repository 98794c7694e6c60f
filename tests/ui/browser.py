"""A headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
START_SECONDS = 30
TEXT_SECONDS = 60
LOOK_SECONDS = 0.25


def chromium() -> str:
    """The browser's path: `CHROMIUM`, or what is found under its usual names."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    for name in names:
        if name and (found := shutil.which(name)):
            return found
    raise RuntimeError(
        "tests/ui need a browser: install Debian's package `chromium`, name one in CHROMIUM, "
        "or set QUALITY_PLATFORM_UI_TESTS=off"
    )


@contextmanager
def open_browser(profile: Path, width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """A browser with an empty profile and one page; `profile` is a folder that does not exist."""
    command = [chromium(), *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
    process = subprocess.Popen(
        [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        port = _debugging_port(profile, process)
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            target = next(t for t in json.load(answer) if t["type"] == "page")
        with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _debugging_port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    told = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the browser ended at once with code {process.returncode}")
        if told.exists() and (lines := told.read_text().splitlines()):
            return int(lines[0])
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"the browser did not open its DevTools port in {START_SECONDS} s")


class Page:
    """One page; `complaints` are the errors that its console has shown so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._last_id = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def visit(self, url: str, *texts: str) -> str:
        """Opens a page, waits until it shows all the texts and rests; its whole text."""
        self._call("Page.navigate", url=url)
        shown = self.shows(*texts)
        # What loads later could still go wrong. Some pages count seconds and never rest.
        for _ in range(4):
            time.sleep(3 * LOOK_SECONDS)
            before, shown = shown, self.shows(*texts)
            if shown == before:
                break
        return shown

    def shows(self, *texts: str) -> str:
        """Waits until the page shows all the texts; its whole text."""
        deadline = time.monotonic() + TEXT_SECONDS
        while True:
            shown = str(self.evaluate("document.body ? document.body.innerText : ''"))
            missing = [text for text in texts if text not in shown]
            if not missing:
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"{missing} not on the page, which shows:\n{shown}")
            time.sleep(LOOK_SECONDS)

    def click(self, text: str) -> None:
        """Clicks on the innermost element whose text is `text`."""
        found = self.evaluate(
            "(() => { const all = [...document.querySelectorAll('a, button, div, span')]"
            f".filter(e => e.innerText && e.innerText.trim() === {json.dumps(text)});"
            "const e = all[all.length - 1]; if (e) e.click(); return Boolean(e) })()"
        )
        if not found:
            raise AssertionError(f"nothing to click on called {text!r}")

    def press(self, beginning: str) -> None:
        """Clicks on the first button whose text begins so, once it can be clicked."""
        button = (
            "[...document.querySelectorAll('button')].find("
            "b => !b.disabled && b.getAttribute('aria-disabled') !== 'true' && "
            f"b.innerText.trim().startsWith({json.dumps(beginning)}))"
        )
        deadline = time.monotonic() + TEXT_SECONDS
        while not self.evaluate(f"Boolean({button})"):
            if time.monotonic() > deadline:
                raise AssertionError(f"no button begins with {beginning!r}")
            time.sleep(LOOK_SECONDS)
        self.evaluate(f"{button}.click()")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Writes what the page shows as PNG."""
        answer = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(timeout=TEXT_SECONDS))
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                thrown = details.get("exception", {}).get("description", details["text"])
                self.complaints.append(thrown)
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                entry = parameters["entry"]
                self.complaints.append(f"{entry['text']} ({entry.get('url', '')})")
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "assert"}:
                shown = [str(a.get("value", a.get("description"))) for a in parameters["args"]]
                self.complaints.append(" ".join(shown))
