from __future__ import annotations

import pytest

from quality_platform.config.function_names import ParsedFunctionName, parsed_function_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("features/totals.py:totals", ParsedFunctionName("file", "features/totals.py", "totals")),
        ("../a b.py:f", ParsedFunctionName("file", "../a b.py", "f")),
        ("shop.features:totals", ParsedFunctionName("module", "shop.features", "totals")),
        ("shop:totals", ParsedFunctionName("module", "shop", "totals")),
        ("order-signs", ParsedFunctionName("entry point", "order-signs")),
        ("shop.signs", ParsedFunctionName("entry point", "shop.signs")),
    ],
)
def test_a_name_tells_where_the_function_is(text: str, expected: ParsedFunctionName) -> None:
    assert parsed_function_name(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a b", "shop:", ":f", "shop:a.b", "shop:a:b", "1:f", "os;x:f", "a.py:1"]
)
def test_something_else_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="name a function as"):
        parsed_function_name(text)
