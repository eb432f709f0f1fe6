"""The part of JSON Schema that ours use: each keyword that a schema has must hold."""

from __future__ import annotations

import re
from typing import Any

KINDS = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None),
    "number": (int, float),
}  # fmt: skip
Schema = dict[str, Any]


def fits(value: Any, schema: Schema, root: Schema) -> bool:
    """Whether a value is what the schema says; `root` has the definitions."""
    return all(KEYWORDS[name](value, schema[name], schema, root) for name in schema.keys() & KEYWORDS.keys())


def object_fits(value: Any, schema: Schema, root: Schema) -> bool:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    return all(
        fits(item, known[name], root) if name in known else others is True or (others and fits(item, others, root))
        for name, item in value.items()
    )


KEYWORDS = {
    "$ref": lambda value, name, _, root: fits(value, root["$defs"][name.rpartition("/")[2]], root),
    "oneOf": lambda value, ways, _, root: sum(fits(value, each, root) for each in ways) == 1,
    "enum": lambda value, known, _, __: value in known,
    "const": lambda value, known, _, __: value == known,
    "type": lambda value, kind, _, __: isinstance(value, KINDS[kind]) and (type(value) is bool) <= (kind == "boolean"),
    "pattern": lambda value, pattern, _, __: isinstance(value, str) and re.search(pattern, value) is not None,
    "minimum": lambda value, least, _, __: not isinstance(value, (int, float)) or value >= least,
    "items": lambda value, each, _, root: not isinstance(value, list) or all(fits(item, each, root) for item in value),
    "prefixItems": lambda value, each, _, root: (
        not isinstance(value, list) or all(map(lambda item, kind: fits(item, kind, root), value, each))
    ),
    "minItems": lambda value, least, _, __: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most, _, __: not isinstance(value, list) or len(value) <= most,
    "required": lambda value, names, _, __: not isinstance(value, dict) or set(names) <= value.keys(),
    "properties": lambda value, _, schema, root: not isinstance(value, dict) or object_fits(value, schema, root),
    "additionalProperties": lambda value, _, schema, root: (
        not isinstance(value, dict) or object_fits(value, schema, root)
    ),
}
