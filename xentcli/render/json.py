"""The report as one JSON object: the record itself, under the names that scripts rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from textwrap import indent
from typing import TYPE_CHECKING, Any

from xentcli.records.report import Sample, plain
from xentcli.records.samples import FIELDS, Samples
from xentcli.render.texts import chosen, column, joined, repeated, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import Report
    from xentcli.records.samples import Table
    from xentcli.render.page import Page

NO_SAMPLES = '"samples": []'  # stands once in a report without any: within a string the quotes would be escaped
SAMPLE = indent(json.dumps(dict.fromkeys(Sample.__dataclass_fields__, "%"), indent=2), "    ").split('"%"')


def render(report: Report, _page: Page) -> Iterator[str]:
    """Floats read back exactly; those that JSON lacks are the strings "nan", "inf" and "-inf"."""
    if not isinstance(report.samples, Samples) or not report.samples:
        yield _dumped(report.to_dict()) + "\n"
        return
    before, after = _dumped(replace(report, samples=()).to_dict()).split(NO_SAMPLES)
    yield before + NO_SAMPLES.removesuffix("]")
    probabilities = {one.row: _lists(one) for one in report.samples.shown}
    comma = ""
    for rows in report.samples.tables():
        yield comma + _objects(rows, probabilities)
        comma = ","
    yield "\n  ]" + after + "\n"


def _objects(rows: Table, probabilities: dict[int, str]) -> str:
    """A run of samples, each on lines of its own, with commas between them."""
    known = rows.dtype.names or ()
    cells = [column(rows[name], '"') if name in known else repeated("null", len(rows)) for name in FIELDS]
    at = list(FIELDS).index("probability")
    cells[at] = chosen(rows["ignored"], repeated("null", len(rows)), cells[at])
    cells.append(texts([probabilities.get(row, "[]") for row in rows["row"].tolist()]))
    first, *keys = (repeated(text, len(rows)) for text in (",\n" + SAMPLE[0], *SAMPLE[1:]))
    return joined([first, *(part for pair in zip(cells, keys, strict=True) for part in pair)]).removeprefix(",")


def _lists(sample: Sample) -> str:
    return indent(_dumped(plain(sample.probabilities)), "      ").lstrip()


def _dumped(content: Any) -> str:
    return json.dumps(content, allow_nan=False, indent=2)
