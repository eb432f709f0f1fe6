"""Where the differences sit, and what of them a floor explains, as tables of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.comparison.cells import TITLES
from xentcli.render.ends import spelled
from xentcli.render.heaviest import chosen_of, heaviest
from xentcli.render.numbers import brief, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.records.breakdown import Excess, Floor, Part
    from xentcli.records.comparison import Compared
    from xentcli.records.statistic import Statistic


def floor_grid(floor: Floor) -> Grid:
    """Each statistic beside the floor's: what is in excess of it, with its statistical error, and the verdict."""
    rows = tuple(_floor_row(name, each) for name, each in floor.statistics.items())
    return Grid(("", "value", "floor", "excess", "±", "floor?"), rows).without_blanks()


def _floor_row(name: str, each: Excess) -> tuple[str, ...]:
    return (
        TITLES.get(name, name),
        brief(each.value, 5),
        brief(each.floor.value, 5),
        brief(each.excess.value, 3),
        brief(_quoted(each.excess)),
        each.within,
    )


def floor_heading(floor: Floor) -> str:
    """What was moved by noise alone."""
    moved = {
        "file": floor.name,
        "base": f"the base rounded to {floor.name}",
        "other": f"the other side rounded to {floor.name}",
    }
    return f"Beside the floor: {moved[floor.of]}"


def parts_grid(by: str, parts: Sequence[Part], most: int) -> Grid:
    """Each part's numbers; of more than so many parts those that carry most of the KL, in their order."""
    rows = tuple(_part_row(part) for part in heaviest(parts, _weight, most))
    return Grid((by, "rows", "KL", "other less base", "±", "same top", "share of KL"), rows).without_blanks()


def parts_heading(by: str, parts: Sequence[object], most: int) -> str:
    """What the parts are, and how many of them are shown."""
    return f"Differences by {by}{chosen_of(len(parts), most)}"


def carried(by: str, parts: Sequence[Part]) -> str:
    """The part that carries most of the KL, in a sentence."""
    most = max(parts, key=_weight)
    return f"{by} {most.name} carries {_share(most) or 'nothing'} of the KL in {plural(most.rows, 'row')}"


def _share(part: Part) -> str:
    """Of the total of KL, in percent."""
    return "" if part.share is None else f"{brief(100.0 * part.share.value, 3)} %"


def _weight(part: Part) -> float:
    return part.kl.value * part.rows


def _part_row(part: Part) -> tuple[str, ...]:
    difference = part.loss_difference
    return (
        part.name,
        f"{part.rows:,}",
        brief(part.kl.value, 4),
        "" if difference is None else brief(difference.value, 3),
        "" if difference is None else brief(_quoted(difference)),
        spelled(part.same_top),
        _share(part),
    )


def _quoted(each: Statistic) -> float | None:
    return each.se if each.group_se is None else each.group_se


def sections(compared: Compared, most: int) -> list[tuple[str, Grid]]:
    """The tables of the floor and of the parts, with their headings."""
    floor = [] if compared.floor is None else [(floor_heading(compared.floor), floor_grid(compared.floor))]
    parts = compared.groups.items()
    return floor + [(parts_heading(by, found, most), parts_grid(by, found, most)) for by, found in parts]
