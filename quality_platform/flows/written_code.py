"""What runner.yaml says of how a feature view is computed, as far as it is read and not run."""

from __future__ import annotations

from dataclasses import dataclass

from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.function_names import parsed_function_name
from quality_platform.config.loading import RunnerFile
from quality_platform.errors import Location, RunnerFileError
from quality_platform.features.functions import WrittenFunction
from quality_platform.flows.tenant_rules import require_own_file

VIEWS = "feature_views"
"""Where feature views stand in runner.yaml."""


@dataclass(frozen=True)
class WrittenCode:
    """The code of a view.

    Attributes:
        sql: The SQL; "" of a function.
        location: The file of the code, or the place in runner.yaml that names the function.
        function: The function; None for SQL.
    """

    sql: str
    location: Location
    function: WrittenFunction | None = None


def written_code(file: RunnerFile, name: str, config: FeatureViewConfig) -> WrittenCode:
    """The SQL or the function of a view.

    Raises:
        RunnerFileError: its file cannot be read, or is not the tenant's.
    """
    if config.sql is not None:
        return WrittenCode(*_text_of(file, name, "sql", str(config.sql)))
    assert config.python is not None
    location = file.location(VIEWS, name, "python")
    parsed = parsed_function_name(config.python)
    if parsed.form != "file":
        return WrittenCode("", location, WrittenFunction(config.python, location, config.version))
    text, place = _text_of(file, name, "python", parsed.home)
    path = file.resolver(VIEWS, name)(parsed.home)
    function = WrittenFunction(config.python, location, config.version, path, text)
    return WrittenCode("", place, function)


def _text_of(file: RunnerFile, name: str, key: str, written: str) -> tuple[str, Location]:
    path, location = file.resolver(VIEWS, name)(written), file.location(VIEWS, name, key)
    require_own_file(file, VIEWS, name, path, location)
    try:
        return path.read_text(encoding="utf-8"), Location(str(path), 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        noun = "SQL file" if key == "sql" else "Python file"
        raise RunnerFileError(
            f"the {noun} cannot be read: {reason}", location=location, field=key, received=path
        ) from error
