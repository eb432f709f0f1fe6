"""Several other sides beside each other: a row of a table for each, and a mark and a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.comparison.claims import verdict
from xentcli.render.ends import spelled
from xentcli.render.html.differences import divergences, losses, told, with_error
from xentcli.render.html.document import Section, Table
from xentcli.render.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xentcli.records.comparison import Compared
    from xentcli.records.statistic import Statistic

SUMMARY = {  # statistic -> its column in the table of all sides
    "loss_difference": "loss difference",
    "ppl_ratio": "perplexity ratio",
    "kl": "KL",
    "tv": "TV",
    "same_top": "same top",
    "flips_right_wrong": "now wrong",
    "flips_wrong_right": "now right",
}


def beside(named: Sequence[tuple[str, Compared]], margin: float, drawn: int, every: int) -> Iterator[Section]:
    """All other sides below each other, a row each, of `every` that there are; `drawn` have sections of their own."""
    shown = [(name, one) for name, one in named if one.statistics]
    columns = {name: title for name, title in SUMMARY.items() if any(name in one.statistics for _, one in shown)}
    rows = tuple(
        (name, verdict(one), *(_summary(one, each) for each in columns), one.floor.within if one.floor else "")
        for name, one in shown
    )
    head = ("other", "verdict", *columns.values(), "floor")
    yield Section(
        "Beside each other",
        _left_out(len(named), drawn, every),
        tables=Table.of(Grid(head, rows), left=("other", "verdict", "floor")),
    )
    yield Section("The same, drawn", pictures=(*losses(shown, margin), *divergences(shown)))


def _left_out(named: int, drawn: int, every: int) -> str:
    """What there was no room for."""
    said = [f"{named} of {every} other sides, with those that fail."] if named < every else []
    said += [f"The page has room for the pictures of {drawn} of them."] if drawn < named else []
    return " ".join(said)


def _summary(one: Compared, name: str) -> str:
    each = one.statistics.get(name)
    return "" if each is None else SPELLED.get(name, told)(each)


def share(each: Statistic) -> str:
    """In percent; both ends where ties decide."""
    low, high = percent(each.lower), percent(each.upper)
    return f"{low} %" if low == high else f"{low} to {high} %"


def _six(each: Statistic) -> str:
    return told(each, 6)


SPELLED: dict[str, Callable[[Statistic], str]] = {  # how a column spells it, where not in four digits
    "loss_difference": with_error,
    "ppl_ratio": _six,
    "same_top": share,
    "flips_right_wrong": spelled,
    "flips_wrong_right": spelled,
}
