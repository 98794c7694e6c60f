"""The forms of text that `logicalTypeOptions.format` of a string can name.

ODCS gives the names; their meaning is that of OpenAPI and JSON Schema,
https://json-schema.org/draft/2020-12/json-schema-validation#section-7.3. Each form here is that of
the document named beside it, as a pattern in RE2.
"""

from __future__ import annotations

from dataclasses import dataclass

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_DATE = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_OFFSET = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"


@dataclass(frozen=True)
class StringFormat:
    """A pattern for the whole text, and what a pattern cannot say.

    `longest` is the greatest length in characters; `begins_with_date` tells that the first ten
    characters must be a date of the calendar.
    """

    pattern: str
    longest: int | None = None
    begins_with_date: bool = False


def _ipv6() -> str:
    """RFC 4291, section 2.2: eight groups, of which `::` stands for one or more, once."""
    last = f"(?:{_GROUP}:{_GROUP}|{_IPV4})"
    forms = [f"(?:{_GROUP}:){{6}}{last}"]
    forms.append(f"::(?:{_GROUP}:){{5}}{last}")
    for after in range(4, -1, -1):
        before = f"(?:(?:{_GROUP}:){{0,{4 - after}}}{_GROUP})?"
        forms.append(f"{before}::(?:{_GROUP}:){{{after}}}{last}")
    forms.append(f"(?:(?:{_GROUP}:){{0,5}}{_GROUP})?::{_GROUP}")
    forms.append(f"(?:(?:{_GROUP}:){{0,6}}{_GROUP})?::")
    return "|".join(forms)


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


FORMATS: dict[str, StringFormat] = {
    # https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address; length: RFC 5321
    "email": StringFormat(
        _whole(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*"), longest=254
    ),
    # RFC 9562, section 4, in either case
    "uuid": StringFormat(_whole("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")),
    # RFC 3986, section 3: a scheme, and the characters that a URI may hold
    "uri": StringFormat(
        _whole(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
    ),
    # RFC 1123, section 2.1
    "hostname": StringFormat(_whole(rf"{_LABEL}(?:\.{_LABEL})*"), longest=253),
    # RFC 2673, section 3.2: no leading zeros
    "ipv4": StringFormat(_whole(_IPV4)),
    "ipv6": StringFormat(_whole(_ipv6())),
    # RFC 4648, section 4: base64 with padding
    "byte": StringFormat(_whole("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")),
    # RFC 3339, section 5.6
    "date": StringFormat(_whole(_DATE), begins_with_date=True),
    "time": StringFormat(_whole(_TIME + _OFFSET)),
    "date-time": StringFormat(_whole(f"{_DATE}[Tt]{_TIME}{_OFFSET}"), begins_with_date=True),
}
UNCHECKED = frozenset({"password", "binary"})
"""Formats of the standard that say nothing about the text itself."""


def known_format(name: object) -> str | None:
    """The name as in `FORMATS`; None for one that is not checked."""
    folded = str(name).casefold().replace("_", "-")
    return {"url": "uri", "datetime": "date-time", "base64": "byte"}.get(
        folded, folded if folded in FORMATS else None
    )
