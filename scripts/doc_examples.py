"""Runs the examples of docs/rules/: each page has files, a command, and what the command prints.

A file is a fenced block after a line that is nothing but its name in backticks and a colon. A
command is a `console` block: `$ quality-platform ...`, and below it what it printed. `make docs`
writes the output anew; a test fails where it is another.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

_FILE = re.compile(r"^`([\w.-]+)`:\n+```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^```console\n\$ quality-platform ([^\n]*)\n(.*?)^```$", re.M | re.S)
_WIDTH = "100"


def page_with_output(text: str) -> str:
    """The page's text with the output that its commands have now."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, content in _FILE.findall(text):
            Path(name).write_text(content, encoding="utf-8")
        return _COMMAND.sub(_block, text)


def _block(found: re.Match[str]) -> str:
    output = _printed(shlex.split(found[1]))
    return f"```console\n$ quality-platform {found[1]}\n{output}```"


def _printed(arguments: list[str]) -> str:
    """What the command prints on both streams, and its exit code where that is not 0."""
    from quality_platform.cli import main

    printed = io.StringIO()
    code: object = 0
    with (
        patch.object(sys, "argv", ["quality-platform", *arguments]),
        patch.dict(os.environ, {"COLUMNS": _WIDTH}),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    # The tool names files by their whole path, and the folder is another one each time.
    text = printed.getvalue().replace(f"{Path.cwd()}{os.sep}", "")
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    ending = f"exit code {code}\n" if code else ""
    return "\n".join(lines) + "\n" + ending
