"""Reading the files that importers are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quality_platform.documents.yaml_documents import YamlDocument, load_yaml
from quality_platform.errors import ConfigurationError, Location
from quality_platform.exchange.entries import Entry
from quality_platform.exchange.results import Loss


def yaml_entry(path: Path, losses: list[Loss]) -> Entry:
    """The top of a YAML file.

    Raises:
        ConfigurationError: it cannot be read, or does not hold a mapping.
    """
    document = load_yaml(path)
    return Entry(document.data, losses, source=document)


def json_entry(path: Path, losses: list[Loss]) -> Entry:
    """The top of a JSON file; errors as `yaml_entry`."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}", location=Location(str(path))
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the file is not UTF-8 (byte {error.start})", location=Location(str(path))
        ) from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"not valid JSON: {error.msg}",
            location=Location(str(path), error.lineno, error.colno),
        ) from error
    return Entry(data, losses, source=YamlDocument(path, data, {}))
