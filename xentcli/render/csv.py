"""The report as CSV: a line a sample with reduction none, otherwise one line with the totals."""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from typing import TYPE_CHECKING

from xentcli.records.report import Enclosure
from xentcli.records.samples import FIELDS, every_sample
from xentcli.render.texts import chosen, column, lines, repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.report import ByteClaim, Report
    from xentcli.records.samples import Table
    from xentcli.records.statistic import Statistic
    from xentcli.render.page import Page

    Cell = str | float | bool | None

PATH = {"loss": "value", "error": "error", "allowed": "allowed", "ulp": "ulp", "status": "status"}  # column: field
DISCREPANCY = ("absolute", "relative", "ulp", "allowed")


def render(report: Report, _page: Page) -> Iterator[str]:
    """Numbers as Python spells them, so that they read back; what is not known is empty."""
    if report.options.reduction == "none":
        yield _lines([FIELDS])
        yield from map(_sample_lines, every_sample(report).tables())
    else:
        totals = _totals(report)
        yield _lines([totals.keys(), totals.values()])


def _sample_lines(rows: Table) -> str:
    """A line a sample; none of its cells has to be quoted."""
    known = rows.dtype.names or ()
    texts = {name: column(rows[name]) if name in known else repeated("", len(rows)) for name in FIELDS}
    texts["probability"] = chosen(rows["ignored"], repeated("", len(rows)), texts["probability"])
    return lines(list(texts.values()))


def _totals(report: Report) -> dict[str, Cell]:
    losses = report.losses
    paths = {"library": losses.library, "manual": losses.manual}
    reference = losses.reference or Enclosure(None, None)
    causes = (report.expectation.causes if report.expectation else None) or ()
    return {
        "reduction": report.options.reduction,
        "dtype": report.options.dtype,
        **{field.name: getattr(report.counts, field.name) for field in fields(report.counts)},
        **{f"{column}_{path}": getattr(paths[path], name) for path in paths for column, name in PATH.items()},
        "lower": reference.lower,
        "upper": reference.upper,
        **{f"discrepancy_{name}": getattr(report.discrepancy, name) for name in DISCREPANCY},
        "cast_effect": report.cast.effect if report.cast else None,
        "expectation_holds": report.expectation.holds if report.expectation else None,
        "expectation_cause": next((cause.code for cause in causes), None),
        **_metrics(report.metrics or {}),
        **_byte_claim(report.byte_claim),
        "verdict": report.verdict,
    }


def _byte_claim(found: ByteClaim | None) -> dict[str, Cell]:
    """Columns of a claim about bits per byte, where there is one."""
    if found is None:
        return {}
    cause = next((cause.code for cause in found.causes), None)
    return {"bits_per_byte_holds": found.holds, "bits_per_byte_cause": cause, "bytes_implied": found.implied}


def _metrics(known: dict[str, Statistic]) -> dict[str, Cell]:
    nll, perplexity, accuracy = (known.get(name) for name in ("nll", "perplexity", "accuracy"))
    return {
        "perplexity": perplexity.value if perplexity else None,
        "accuracy_lower": accuracy.lower if accuracy else None,
        "accuracy_upper": accuracy.upper if accuracy else None,
        "standard_error": nll.se if nll else None,
        **({"standard_error_groups": nll.group_se} if nll and nll.group_se is not None else {}),
        **{name: each.value for name, each in known.items() if name not in {"nll", "perplexity", "accuracy"}},
    }


def _lines(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_spelled, row) for row in rows)
    return text.getvalue()


def _spelled(cell: Cell) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
