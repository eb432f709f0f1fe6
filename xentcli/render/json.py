"""The report as one JSON object: the record itself, under the names that scripts rely on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import chain
from textwrap import indent
from typing import TYPE_CHECKING, Any

from xentcli.records import Sample, plain
from xentcli.samples import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records import ClassProbability, Report
    from xentcli.render.page import Page
    from xentcli.samples import Columns

NO_SAMPLES = '"samples": []'  # stands once in a report without any: within a string the quotes would be escaped
NUMBERS = (int, float)  # and not their subclass bool
NAMES = tuple(Sample.__dataclass_fields__)
SAMPLE = indent(json.dumps(dict.fromkeys(NAMES, "%s"), indent=2).replace('"%s"', "%s"), "    ")  # a template


def render(report: Report, _page: Page) -> Iterator[str]:
    """Floats read back exactly; those that JSON lacks are the strings "nan", "inf" and "-inf"."""
    text = json.dumps(replace(report, samples=()).to_dict(), allow_nan=False, indent=2) + "\n"
    if not report.samples:
        yield text
        return
    before, after = text.split(NO_SAMPLES)
    yield before
    opening = '"samples": [\n'
    for columns in columns_of(report.samples):
        yield opening + _objects(columns)
        opening = ",\n"
    yield "\n  ]" + after


def _objects(columns: Columns) -> str:
    """A run of samples: all their cells go into one template at once, which takes Python a few steps a cell."""
    rows = len(columns["row"])
    cells = [_spelled(columns[name]) for name in NAMES[:-1]] + [_lists(columns["probabilities"])]
    return ",\n".join([SAMPLE] * rows) % tuple(chain.from_iterable(zip(*cells, strict=True)))


def _spelled(column: list[Any]) -> Iterator[Any]:
    """Each cell as it is, or as the text that JSON has for it, where that is another one than Python's."""
    return (cell if type(cell) in NUMBERS and math.isfinite(cell) else json.dumps(plain(cell)) for cell in column)


def _lists(column: Iterable[tuple[ClassProbability, ...]]) -> Iterator[str]:
    return (indent(json.dumps(plain(cell), indent=2), "      ").lstrip() if cell else "[]" for cell in column)
