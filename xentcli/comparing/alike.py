"""What two sets of logits are to each other, told from the numbers that are kept of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.straight import straight_line
from xentcli.records.report import Finding
from xentcli.render.numbers import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from xentcli.comparing.table import Table

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

FEWEST_ROWS = 8  # that tell whether neighbours are alike
NEARER = 0.25  # of the distance of rows is that of their neighbours, where one side is a row ahead
SURE = 5.0  # standard deviations by which a count must exceed another
EQUAL = 1e-9  # nats, relatively: entropies that are one number but for rounding
LEFT = 0.03  # of a difference that a temperature does not explain
APART = 1e-4  # nats of KL between rows that are not the same
SHOWN = 5  # rows that a finding names
SHIFTS = {"lags": (slice(None, -1), slice(1, None)), "leads": (slice(1, None), slice(None, -1))}


def findings_of(table: Table, *, labelled: bool) -> tuple[Finding, ...]:
    """All of them, those first after which no statistic means what it says."""
    families: tuple[Callable[[Table], Iterator[Finding]], ...] = (_moved, _permuted, _tempered, _offset)
    found = [finding for family in families for finding in family(table)]
    return (*(_labels_moved(table) if labelled else ()), *found)


def _offset(table: Table) -> Iterator[Finding]:
    """Rows that are equal but for a constant; nothing of those that are equal."""
    moved = table.column("same") & (table.column("greatest") > 0.0)
    count = int(moved.sum())
    if count:
        yield Finding(
            code="constant-offset",
            severity="info",
            message=f"the other is the base plus a constant in {plural(count, 'row')}: no difference of probabilities",
            rows=_rows(table, moved),
        )


def _moved(table: Table) -> Iterator[Finding]:
    """Whether each row's entropy and greatest class are those of the other side's next row, or of the one before."""
    if len(table) < FEWEST_ROWS:
        return
    one, two = table.column("entropy_base"), table.column("entropy_other")
    tops = table.column("top_base"), table.column("top_other")
    own, same = _distance(one, two), _agreement(*tops)
    for way, (mine, theirs) in SHIFTS.items():
        near, alike = _distance(one[mine], two[theirs]), _agreement(tops[0][mine], tops[1][theirs])
        if near < NEARER * own and alike > same and _is_surely_more(alike, same, len(table)):
            yield Finding(
                code="rows-out-of-step",
                severity="warning",
                message=f"the other {way} by a row: {100 * alike:.3g} % of the rows have the top class "
                f"of its {'next row' if way == 'lags' else 'row before'}, and {100 * same:.3g} % that of their own",
                hint=f"cut the {'first' if way == 'lags' else 'last'} row off the other, and the "
                f"{'last' if way == 'lags' else 'first'} one off the base and the labels",
            )


def _labels_moved(table: Table) -> Iterator[Finding]:
    """Whether the labels are the top classes of the rows beside theirs, on both sides."""
    if len(table) < FEWEST_ROWS:
        return
    labels = table.column("label")
    tops = table.column("top_base"), table.column("top_other")
    own = [_agreement(top, labels) for top in tops]
    for way, (mine, theirs) in SHIFTS.items():
        moved = [_agreement(top[mine], labels[theirs]) for top in tops]
        sure = (_is_surely_more(one, two, len(table)) for one, two in zip(moved, own, strict=True))
        if all(sure) and all(one > 2.0 * two for one, two in zip(moved, own, strict=True)):
            place = "next row" if way == "lags" else "row before"
            yield Finding(
                code="labels-out-of-step",
                severity="warning",
                message=f"the labels {way[:-1]} by a row: {100 * min(moved):.3g} % of the rows have the "
                f"label of their {place} on top, and {100 * max(own):.3g} % their own",
                hint="logits[:-1] with labels[1:], as the logits of a position predict the next token"
                if way == "lags"
                else "logits[1:] with labels[:-1]",
            )


def _permuted(table: Table) -> Iterator[Finding]:
    """Whether all rows have the same entropies, and are not the same: the same numbers in another order."""
    one, two = table.column("entropy_base"), table.column("entropy_other")
    equal = np.abs(one - two) <= EQUAL * (1.0 + np.abs(one))
    apart = (table.column("kl") > APART) & (table.column("top_base") != table.column("top_other"))
    if equal.all() and apart.any() and apart.sum() * 2 >= len(table):
        yield Finding(
            code="classes-permuted",
            severity="warning",
            message="both sides have the same entropy in every row, and other top classes: the classes of one stand in "
            "another order",
            rows=_rows(table, apart),
            hint="put the classes of both in one order: of tables, --columns names them",
        )


def _tempered(table: Table) -> Iterator[Finding]:
    """Whether one number times the base's logits is what the other has, but for a constant in each row."""
    line = straight_line(table) if len(table) >= FEWEST_ROWS else {}
    if "affine_slope" not in line or table.column("same").all():
        return
    slope, left = line["affine_slope"].value, line["affine_residual"].upper
    counted = table.column("counted")
    spread = table.column("squares") - table.column("sum_steps") ** 2 / counted  # below 0 by rounding alone
    moved = np.sqrt(np.maximum(spread, 0.0).sum() / counted.sum())
    if slope > 0.0 and moved > 0.0 and left <= LEFT * moved:
        yield Finding(
            code="other-temperature",
            severity="warning",
            message=f"the other is {slope:.6g} times the base, but for a constant in each row: the base at temperature "
            f"{1.0 / slope:.4g}; no more than {100 * left / moved:.2g} % of the difference is something else",
            hint="divide the logits of both by one temperature, or by none",
        )


def _distance(one: Floats, two: Floats) -> float:
    return float(np.median(np.abs(one - two)))


def _agreement(one: Integers, two: Integers) -> float:
    return float((one == two).mean())


def _is_surely_more(share: float, other: float, rows: int) -> bool:
    """Whether a share of the rows is greater than another by more than chance makes it."""
    spread = (share * (1.0 - share) + other * (1.0 - other) + 1.0 / rows) / rows
    return bool(share - other > SURE * np.sqrt(spread))


def _rows(table: Table, chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(row) for row in table.column("row")[chosen][:SHOWN])
