"""Frozen records as JSON that reads back exactly: what a member must be is read off the type of its field.

Numbers that JSON lacks are strings: "nan", "inf" and "-inf", a fraction as two hexadecimal integers, and `Units`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from xentcli.errors import InputError
from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.units import Units
from xentcli.numbers.wholes import Wholes

if TYPE_CHECKING:
    from collections.abc import Callable

    Content = Any  # what `json.loads` gives

Record = TypeVar("Record")

NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
WHOLE = re.compile(r"-?0x[0-9a-f]{1,64}")
FRACTION = re.compile(r"(-?0x[0-9a-f]{1,99999})/(0x[0-9a-f]{0,99999}[1-9a-f][0-9a-f]{0,99999})")


def encode(value: Any) -> Content:
    """The record, or what is in one, as `json.dumps` takes it."""
    kind: type = type(value)
    if is_dataclass(value) and kind not in WRITTEN:
        return {name: encode(getattr(value, name)) for name in _types(kind)}
    return WRITTEN.get(kind, lambda plain: plain)(value)


def decode(kind: type[Record], content: Content, at: str) -> Record:
    """The record of this type that `encode` made `content` of; InputError, which names the member, for anything else.

    at  where the content stands, for the message
    """
    record: Record = _decode(kind, content, at)
    return record


def _decode(kind: Any, content: Content, at: str) -> Any:
    if kind in PLAIN:
        return PLAIN[kind](content, at)
    origin = get_origin(kind)
    if origin in GENERIC:
        return GENERIC[origin](kind, content, at)
    return _record(kind, content, at)


def _record(kind: Any, content: Content, at: str) -> Any:
    types = _types(kind)
    if not isinstance(content, dict) or content.keys() != types.keys():
        raise _malformed(content, at, f"an object with the members {', '.join(types)}")
    members = {name: _decode(types[name], item, f"{at}.{name}") for name, item in content.items()}
    try:
        return kind(**members)
    except InputError as error:
        raise InputError(error.what, **error.details | {"at": at}) from error


@cache
def _types(kind: Any) -> dict[str, Any]:
    """Field -> its type; without those that are not for keeping."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.metadata.get("saved", True)}


def _exactly(kind: type, words: str) -> Callable[[Content, str], Any]:
    """What takes a value of this very type: true is no integer, and 1 is no float."""

    def take(content: Content, at: str) -> Any:
        if type(content) is not kind or (isinstance(content, int) and abs(content) >= 1 << 64):
            raise _malformed(content, at, words)
        return content

    return take


def _float(content: Content, at: str) -> float:
    if isinstance(content, str) and content in NOT_FINITE:
        return NOT_FINITE[content]
    if type(content) is not float or not math.isfinite(content):
        raise _malformed(content, at, 'a number with a point or an exponent, or "nan", "inf", "-inf"')
    return content


def _fraction(content: Content, at: str) -> Fraction:
    match = FRACTION.fullmatch(content) if isinstance(content, str) else None
    if not match:
        raise _malformed(content, at, "two hexadecimal integers as a string, such as '-0x1f/0x20'")
    return Fraction(int(match[1], 16), int(match[2], 16))


def _units(content: Content, at: str) -> Units:
    if not (isinstance(content, str) and WHOLE.fullmatch(content)):
        raise _malformed(content, at, "a hexadecimal integer as a string, such as '-0x1f'")
    return Units(content, 16)


def _made_by(kind: Any) -> Callable[[Content, str], Any]:
    """What reads a type that reads itself."""

    def take(content: Content, at: str) -> Any:
        try:
            return kind.from_json(content)
        except InputError as error:
            raise InputError(error.what, **error.details | {"at": at}) from error

    return take


def _union(kind: Any, content: Content, at: str) -> Any:
    """A value or None."""
    (present,) = (each for each in get_args(kind) if each is not NoneType)
    return None if content is None else _decode(present, content, at)


def _literal(kind: Any, content: Content, at: str) -> Any:
    if content not in get_args(kind):
        raise _malformed(content, at, f"one of {', '.join(get_args(kind))}")
    return content


def _tuple(kind: Any, content: Content, at: str) -> tuple[Any, ...]:
    items = _items(content, at)
    kinds = get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(items)
    if len(items) != len(kinds):
        raise _malformed(content, at, f"a list of {len(kinds)}")
    return tuple(_decode(each, item, f"{at}[{i}]") for i, (each, item) in enumerate(zip(kinds, items, strict=True)))


def _frozenset(kind: Any, content: Content, at: str) -> frozenset[Any]:
    (each,) = get_args(kind)
    return frozenset(_decode(each, item, at) for item in _items(content, at))


def _dict(kind: Any, content: Content, at: str) -> Any:
    """A dictionary, or a Counter, whose values are counts; the order of the keys stays."""
    (keys, *rest), origin = get_args(kind), get_origin(kind)
    values = rest[0] if rest else int
    if not isinstance(content, dict):
        raise _malformed(content, at, "an object")
    return origin({_key(keys, key, at): _decode(values, item, f"{at}.{key}") for key, item in content.items()})


def _key(kind: Any, key: str, at: str) -> Any:
    """JSON has strings alone for keys."""
    if kind is not int:
        return _decode(kind, key, at)
    if not re.fullmatch(r"-?\d{1,20}", key, re.ASCII):
        raise _malformed(key, at, "integers as the names of the members")
    return int(key)


def _items(content: Content, at: str) -> list[Content]:
    if not isinstance(content, list):
        raise _malformed(content, at, "a list")
    return content


def _malformed(found: object, at: str, expected: str) -> InputError:
    what = "this is not the record that an earlier run wrote"
    return InputError(what, at=at, found=repr(found)[:80], expected=expected)


def _written_dict(value: dict[Any, Any]) -> Content:
    return {str(key): encode(item) for key, item in value.items()}


WRITTEN: dict[type, Callable[[Any], Content]] = {
    ExactSum: ExactSum.to_json,
    Wholes: Wholes.to_json,
    Units: hex,
    Fraction: lambda value: f"{value.numerator:#x}/{value.denominator:#x}",
    float: lambda value: value if math.isfinite(value) else str(value),
    dict: _written_dict,
    Counter: _written_dict,
    frozenset: sorted,
    tuple: lambda value: [encode(item) for item in value],
}
PLAIN: dict[Any, Callable[[Content, str], Any]] = {
    bool: _exactly(bool, "true or false"),
    int: _exactly(int, "an integer"),
    str: _exactly(str, "a string"),
    float: _float,
    Fraction: _fraction,
    ExactSum: _made_by(ExactSum),
    Wholes: _made_by(Wholes),
    Units: _units,
}
GENERIC: dict[Any, Callable[[Any, Content, str], Any]] = {
    Union: _union,
    UnionType: _union,
    Literal: _literal,
    tuple: _tuple,
    frozenset: _frozenset,
    dict: _dict,
    Counter: _dict,
}
