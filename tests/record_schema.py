"""The JSON schema of a record as `codec.encode` writes it, derived from the types of its fields."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.units import Units
from xentcli.numbers.wholes import Wholes
from xentcli.records import report, statistic

NAMES = vars(report) | vars(statistic)  # of the records that others name for their types alone
LEFT_OUT = (Ellipsis, NoneType)
HEX = "-?0x(0|[1-9a-f][0-9a-f]*)"
COUNT = {"type": "integer", "minimum": 0}
SUM = {
    "description": "a sum of float64 values: units of 2^-1074, and counts of what is not finite",
    "type": "object",
    "required": ["units", "positive_infinities", "negative_infinities", "nans"],
    "additionalProperties": False,
    "properties": {
        "units": {"type": "string", "pattern": f"^{HEX}$"},
        **dict.fromkeys(("positive_infinities", "negative_infinities", "nans"), COUNT),
    },
}
TABLE = {
    "description": "whole numbers by place, of which those that are not named are 0",
    "type": "object",
    "required": ["length", "places", "values"],
    "additionalProperties": False,
    "properties": {
        "length": COUNT,
        "places": {"type": "array", "items": COUNT},
        "values": {"type": "array", "items": {"type": "string", "pattern": f"^{HEX}$"}},
    },
}
FLOAT = {"oneOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}]}
PLAIN: dict[Any, Any] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    float: {"$ref": "#/$defs/float"},
    Fraction: {"type": "string", "pattern": f"^{HEX}/{HEX}$"},
    ExactSum: {"$ref": "#/$defs/ExactSum"},
    Wholes: {"$ref": "#/$defs/Wholes"},
    Units: {"type": "string", "pattern": f"^{HEX}$"},
    Any: {},
}


def schema_of(record: type, title: str, extra: dict[str, Any]) -> dict[str, Any]:
    """The schema of a file that holds this record, with these members besides."""
    definitions: dict[str, Any] = {"float": FLOAT, "ExactSum": SUM, "Wholes": TABLE}
    _schema(record, definitions)
    whole = definitions.pop(record.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **whole,
        "required": [*extra, *whole["required"]],
        "properties": extra | whole["properties"],
        "$defs": definitions,
    }


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if is_dataclass(kind):
        return _record(kind, definitions)
    if isinstance(kind, type) and issubclass(kind, dict) and kind is not Counter:
        (kind,) = kind.__orig_bases__  # a dictionary with a name of its own
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return {"enum": list(arguments)}
    inner = [_schema(each, definitions) for each in arguments if each not in LEFT_OUT]
    return {
        Union: {"oneOf": [{"type": "null"}, *inner]},
        UnionType: {"oneOf": [{"type": "null"}, *inner]},
        tuple: {"type": "array", "prefixItems": inner, "minItems": len(inner), "maxItems": len(inner)},
        frozenset: {"type": "array", "items": inner[0]},
        Sequence: {"type": "array", "items": inner[0]},
        Counter: {"type": "object", "additionalProperties": COUNT},
        dict: {"type": "object", "additionalProperties": inner[-1] or True},
    }[frozenset if Ellipsis in arguments else get_origin(kind)]


def _record(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind.__name__ not in definitions:
        hints = get_type_hints(kind, localns=NAMES | vars(sys.modules[kind.__module__]))
        names = [field.name for field in fields(kind) if field.metadata.get("saved", True)]
        definitions[kind.__name__] = {
            "description": kind.__doc__.partition("\n")[0],
            "type": "object",
            "required": names,
            "additionalProperties": False,
            "properties": {name: _schema(hints[name], definitions) for name in names},
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}
