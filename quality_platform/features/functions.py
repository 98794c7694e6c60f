"""The Python functions of feature views: found, loaded, and told from their versions before."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from quality_platform.config.function_names import parsed_function_name
from quality_platform.errors import FeatureViewError, Location, QualityPlatformError

ENTRY_POINTS = "quality_platform.feature_functions"
"""The group of entry points under which a distribution registers functions of feature views."""


@dataclass(frozen=True)
class WrittenFunction:
    """A function as runner.yaml names it.

    Attributes:
        name: As written.
        location: Where that is.
        version: What tells it from its versions before; "" for the source of its module.
        path: Its file, where it is named by its file.
        text: What the file held when runner.yaml was read.
    """

    name: str
    location: Location
    version: str = ""
    path: Path | None = None
    text: str = ""


@dataclass(frozen=True)
class FeatureFunction:
    """A function that is loaded.

    Attributes:
        name: As written in runner.yaml.
        location: Where that is.
        file: The file of its source; "" where there is none.
        source: The text of its module, or the version that was given in its place.
        call: The function.
    """

    name: str
    location: Location
    file: str
    source: str
    call: Callable[[Any, Any], Any]


def load_function(written: WrittenFunction) -> FeatureFunction:
    """Loads the function. A file is read and run anew, a module is imported once by each process.

    Raises:
        FeatureViewError: it cannot be found or imported, is no function, or has neither a source
            nor a version.
    """
    parsed = parsed_function_name(written.name)
    if written.path is not None:
        module, source = _run_file(written, written.path)
        return _function(written, module, parsed.attribute, source)
    if parsed.form == "module":
        return _function(written, _imported(written, parsed.home), parsed.attribute, "")
    with _loading(written, ""):
        call = _entry_point(written, parsed.home).load()
    home: ModuleType | None = sys.modules.get(getattr(call, "__module__", ""))
    return _checked(written, call, home, "")


@contextmanager
def told_without_values(name: str, file: str, location: Location | None) -> Iterator[None]:
    """Turns what other people's code raises into an error that says where, and no value of a row.

    Raises:
        FeatureViewError: the code raised something that is no error of the platform.
    """
    try:
        yield
    except QualityPlatformError:
        raise
    except Exception as error:  # noqa: BLE001 - other people's code may raise anything
        raise FeatureViewError(
            f"the function {name} failed with {type(error).__name__}",
            location=_place(error, file) or location,
            action="mend it; what the error says is left out here: it may hold values of rows",
        ) from None


def _place(error: Exception, file: str) -> Location | None:
    """The line of the file that led to the error, or where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [frame for frame in frames if frame.filename == file]
    if not (own or frames):
        return None
    last = (own or frames)[-1]
    return Location(last.filename, last.lineno or 0)


@contextmanager
def _loading(written: WrittenFunction, file: str) -> Iterator[None]:
    try:
        yield
    except QualityPlatformError:
        raise
    except Exception as error:  # noqa: BLE001 - other people's code may raise anything
        # Of what an import says only the name of a module is sure to be no secret.
        more = f": {error.name}" if isinstance(error, ModuleNotFoundError) else ""
        raise FeatureViewError(
            f"the function {written.name} cannot be loaded: {type(error).__name__}{more}",
            location=_place(error, file) if file else written.location,
            field="python",
            action="mend its module, or install what it needs",
        ) from None


def _run_file(written: WrittenFunction, path: Path) -> tuple[ModuleType, str]:
    """The module that a file makes, and the very text that was run."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FeatureViewError(
            f"the file of the function cannot be read: {type(error).__name__}",
            location=written.location,
            field="python",
            received=path,
        ) from error
    digest = hashlib.sha256(f"{path}\0{source}".encode()).hexdigest()[:16]
    module = ModuleType(f"quality_platform_features_{digest}")
    module.__file__ = str(path)
    # Dataclasses look their module up there.
    sys.modules[module.__name__] = module
    with _loading(written, str(path)):
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - runner.yaml says so
    return module, source


def _imported(written: WrittenFunction, name: str) -> ModuleType:
    with _loading(written, ""):
        return import_module(name)


def _entry_point(written: WrittenFunction, name: str) -> Any:
    found = entry_points(group=ENTRY_POINTS)
    entries = [entry for entry in found if entry.name == name]
    if len(entries) != 1:
        raise FeatureViewError(
            f"no distribution brings the function {name!r}"
            if not entries
            else f"several distributions bring the function {name!r}",
            location=written.location,
            field="python",
            allowed=sorted({entry.name for entry in found}) or "a file or module, and its function",
            action="install the one distribution that brings it",
        )
    return entries[0]


def _function(
    written: WrittenFunction, module: ModuleType, attribute: str, source: str
) -> FeatureFunction:
    if not hasattr(module, attribute):
        raise FeatureViewError(
            f"there is no function {attribute!r} in it",
            location=written.location,
            field="python",
            received=written.name,
            allowed=[name for name, value in vars(module).items() if _is_own(value, module)],
        )
    return _checked(written, getattr(module, attribute), module, source)


def _is_own(value: object, module: ModuleType) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__


def _checked(
    written: WrittenFunction, call: Any, module: ModuleType | None, source: str
) -> FeatureFunction:
    if not callable(call):
        raise FeatureViewError(
            "what is named is no function",
            location=written.location,
            field="python",
            received=f"{written.name}: {type(call).__name__}",
        )
    text = written.version or source or _source_of(module.__name__ if module else "")
    if not text:
        raise FeatureViewError(
            "the source of the function is not there, so that nobody could tell when it changes",
            location=written.location,
            field="python",
            received=written.name,
            action="give the view a `version`, and a new one with each change",
        )
    return FeatureFunction(
        written.name, written.location, getattr(module, "__file__", None) or "", text, call
    )


@functools.cache
def _source_of(module: str) -> str:
    """The text of a module, as it was when it was asked for first: by then it had been imported."""
    try:
        return inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return ""
