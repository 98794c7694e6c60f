"""`quality-platform schema`."""

from __future__ import annotations

import json

from quality_platform.cli.exchange import ForceOption, OutputOption, refuse_existing, write_text


def schema(output: OutputOption = None, force: ForceOption = False) -> None:
    """Write the JSON schema of runner.yaml, by which editors complete and check it."""
    from quality_platform.config.editor_schema import runner_schema

    refuse_existing(output, force=force)
    write_text(json.dumps(runner_schema(), indent=2, ensure_ascii=False) + "\n", output)
