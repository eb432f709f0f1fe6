"""How much of a comparison a page shows: the more sides, parts and rows there are, the less of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xentcli.records.pairs import shown_of
from xentcli.records.report import JUDGEMENTS
from xentcli.render.heaviest import heaviest
from xentcli.render.html.differences import most_of
from xentcli.render.html.document import cut
from xentcli.render.html.several import SUMMARY

if TYPE_CHECKING:
    from xentcli.records.breakdown import Floor, Part
    from xentcli.records.comparison import ClaimedStatistic, Compared, Comparison
    from xentcli.records.statistic import Statistic


@dataclass(frozen=True)
class Detail:
    """At most so many of each."""

    sides: int = 4  # with sections of their own; more have never fitted
    listed: int = 20  # sides in the table of all
    parts: int = 20  # of the rows, of each kind
    rows: int = 10
    notices: int = 20
    has_more: bool = True  # every statistic, too


DETAILS = (
    Detail(),
    Detail(parts=12, rows=5),
    Detail(parts=5, rows=3, notices=5, has_more=False),
    Detail(sides=2, parts=5, rows=3, notices=5, has_more=False),
    Detail(sides=1, parts=5, rows=3, notices=5, has_more=False),
    Detail(sides=1, parts=0, rows=0, notices=2, has_more=False),
    Detail(sides=1, listed=5, parts=0, rows=0, notices=2, has_more=False),
)


def listed(comparison: Comparison, detail: Detail) -> Comparison:
    """With those other sides alone that the page names: of too many those that fail, or are open, before others."""
    chosen = heaviest(comparison.comparisons, _gravity, detail.listed)
    return replace(comparison, comparisons=tuple(chosen))


def _gravity(one: Compared) -> float:
    return max(map(JUDGEMENTS.index, one.verdicts), default=0)


def _of_claim(claimed: ClaimedStatistic) -> float:
    return JUDGEMENTS.index(claimed.verdict)


def shortened_to(comparison: Comparison, detail: Detail) -> Comparison:
    """With those rows and parts alone that the page shows, and of sides that it only lists what it lists of them."""
    first, rest = comparison.comparisons[: detail.sides], comparison.comparisons[detail.sides :]
    sides = (*(_told(one, detail) for one in first), *map(_only_listed, rest))
    found: Comparison = cut(replace(comparison, comparisons=sides))
    return found


def _told(one: Compared, detail: Detail) -> Compared:
    groups = {
        by: tuple(heaviest(found, _weight, most_of(by, len(found), detail.parts))) for by, found in one.groups.items()
    }
    return replace(
        one,
        rows=tuple(shown_of(one.rows))[: detail.rows],
        groups=groups,
        expectations=tuple(heaviest(one.expectations, _of_claim, detail.notices)),
        findings=one.findings[: detail.notices],
    )


def _weight(part: Part) -> float:
    return part.kl.value * part.rows


def _only_listed(one: Compared) -> Compared:
    floor = None if one.floor is None else _mean_alone(one.floor)
    statistics = {name: _without_percentiles(one.statistics[name]) for name in SUMMARY if name in one.statistics}
    claims = tuple(heaviest(one.expectations, _of_claim, 1))  # the one that makes the verdict
    bare = replace(one, rows=(), groups={}, findings=(), dialect=None)
    return replace(bare, expectations=claims, floor=floor, statistics=statistics)


def _mean_alone(floor: Floor) -> Floor:
    kl = floor.statistics["kl"]
    return replace(floor, statistics={"kl": replace(kl, floor=_without_percentiles(kl.floor))})


def _without_percentiles(each: Statistic) -> Statistic:
    return replace(each, percentiles=None)
