"""How runner.yaml names a Python function: by its file, its module, or an entry point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

_ATTRIBUTE = r"[A-Za-z_]\w*"
_FILE = re.compile(rf"(?P<home>[^:]+\.py):(?P<attribute>{_ATTRIBUTE})")
_MODULE = re.compile(rf"(?P<home>{_ATTRIBUTE}(?:\.{_ATTRIBUTE})*):(?P<attribute>{_ATTRIBUTE})")
_ENTRY_POINT = re.compile(r"(?P<home>[A-Za-z_][\w.-]*)")


@dataclass(frozen=True)
class ParsedFunctionName:
    """The parts of a function's name.

    Attributes:
        form: What `home` is: the path of a file, a module, or the name of an entry point.
        home: Where the function is.
        attribute: What it is called there; "" for an entry point.
    """

    form: Literal["file", "module", "entry point"]
    home: str
    attribute: str = ""


def parsed_function_name(text: str) -> ParsedFunctionName:
    """The parts of a name that was checked.

    Raises:
        ValueError: the text is no such name.
    """
    if found := _FILE.fullmatch(text):
        return ParsedFunctionName("file", found["home"], found["attribute"])
    if found := _MODULE.fullmatch(text):
        return ParsedFunctionName("module", found["home"], found["attribute"])
    if found := _ENTRY_POINT.fullmatch(text):
        return ParsedFunctionName("entry point", found["home"])
    raise ValueError(
        "name a function as features/totals.py:totals (a file), shop.features:totals (a module), "
        "or by its entry point"
    )


def _function_name(text: str) -> str:
    parsed_function_name(text)
    return text


FunctionName = Annotated[str, AfterValidator(_function_name)]
