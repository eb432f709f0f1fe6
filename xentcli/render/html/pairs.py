"""The rows with the greatest KL, each of which unfolds to the most probable classes of both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.records.pairs import shown_of
from xentcli.render.cells import Grid
from xentcli.render.html.document import Section, Table, Unfold
from xentcli.render.numbers import brief, probability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.breakdown import Top
    from xentcli.records.comparison import Compared, RowPair
    from xentcli.render.wording import Entry


def worst(one: Compared) -> Section:
    """The rows, the farthest first, both sides beside each other."""
    rows = [each for each in shown_of(one.rows) if each.kl > 0.0]
    lead = "The rows that differ most; each opens to what both sides think of it." if rows else ""
    return Section("Rows with the greatest KL", lead, details=tuple(map(_row, rows)))


def _row(each: RowPair) -> Unfold:
    moved = ""
    if each.label is not None:
        moved = f"; label {each.label} costs {brief(each.loss_base, 4)} nats, then {brief(each.loss_other, 4)}"
    sides = _says(each.top_base, each.tops_base), _says(each.top_other, each.tops_other)
    says = (
        f"both say {each.top_base}"
        if each.top_base == each.top_other
        else f"the base says {sides[0]}, the other {sides[1]}"
    )
    if each.top_base == each.top_other and each.tops_base and each.tops_other:
        says += f", with {probability(each.tops_base[0].probability)} and {probability(each.tops_other[0].probability)}"
    return Unfold(f"Row {each.row}: KL {brief(each.kl, 4)}{moved}; {says}", tuple(_facts(each)), _classes(each))


def _says(top: int, tops: tuple[Top, ...]) -> str:
    return f"{top} with {probability(tops[0].probability)}" if tops else str(top)


def _facts(each: RowPair) -> Iterator[Entry]:
    yield "reverse KL", f"{brief(each.kl_reverse, 4)} nats"
    yield "JS, TV", f"{brief(each.js, 4)} nats, {brief(each.tv, 4)}"
    if each.delta_p is not None:
        yield "label's p", f"{brief(abs(each.delta_p), 4)} {'more' if each.delta_p >= 0.0 else 'less'} than in the base"


def _classes(each: RowPair) -> tuple[Table, ...]:
    """The most probable classes of either side; a field is empty where a class is not among those of that side."""
    base, other = ({top.number: top.probability for top in tops} for tops in (each.tops_base, each.tops_other))
    rows = tuple(
        (str(number), *(_chance(side.get(number)) for side in (base, other)), "label" if number == each.label else "")
        for number in dict.fromkeys((*base, *other))
    )
    caption = f"The {len(base)} most probable classes of each side"
    return Table.of(Grid(("class", "base", "other", ""), rows), caption, ("class", ""))


def _chance(value: float | None) -> str:
    return "" if value is None else probability(value)
