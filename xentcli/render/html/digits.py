"""How many digits of each case's loss are right, against how many the allowance asks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.html.shapes import Axis, Frame, axes, diamond, disc, drawn, element, line, text
from xentcli.render.numbers import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from xentcli.records.conformance import CaseResult, ImplementationResult
    from xentcli.render.html.shapes import Picture

    Place = tuple[float, float, bool]  # digits asked for, digits right, and whether a loss is wrong

NAMED = 4  # cases that a point is told of
NEAREST = 12  # cases in the table
ROOM = 0.5  # of a digit above the most that a case has


def picture(result: ImplementationResult) -> Picture | None:
    """A point for the cases that are alike to a tenth of a digit; below the line a loss is further off than allowed."""
    cases = [case for case in result.cases if _digits(case) is not None]
    if not cases:
        return None
    most = math.ceil(max(max(_known(case)[:2]) for case in cases) + ROOM)
    frame = Frame()
    across, up = Axis("digits that the allowance asks for", 0.0, most), Axis("digits right, at the worst", 0.0, most)
    shapes = axes(frame, across, up)
    shapes.append(line(frame.point(across, up, (0.0, 0.0)), frame.point(across, up, (most, most)), "truth"))
    for (asked, right, is_wrong), names in _together(cases).items():
        shapes.append(_point(frame.point(across, up, (asked, right)), _told(asked, right, names), is_wrong=is_wrong))
    shapes.append(text((frame.left + 8, frame.top + 6), "○ right   ◆ wrong   - - as many as asked for", "said"))
    return drawn(f"{result.name}: digits right, and asked for", _label(cases), frame.height, shapes, _nearest(cases))


def _digits(case: CaseResult) -> Place | None:
    """Where a case stands; None where no loss of it is a number of which digits can be told."""
    accuracy = case.accuracy
    if accuracy is None or accuracy.digits_minimum is None or accuracy.digits_allowed is None:
        return None
    return accuracy.digits_allowed, accuracy.digits_minimum, _is_wrong(case)


def _is_wrong(case: CaseResult) -> bool:
    """Whether a loss is further off than allowed; the digits of gradients are not told here."""
    return case.worst is not None and case.worst.what == "loss"


def _known(case: CaseResult) -> Place:
    found = _digits(case)
    assert found is not None
    return found


def _together(cases: Sequence[CaseResult]) -> dict[Place, list[str]]:
    """The names of the cases at each place, the wrong ones last, so that they are drawn above the others."""
    found: dict[Place, list[str]] = {}
    for case in sorted(cases, key=_is_wrong):
        asked, right, is_wrong = _known(case)
        found.setdefault((round(asked, 1), round(right, 1), is_wrong), []).append(case.name)
    return found


def _told(asked: float, right: float, names: Sequence[str]) -> str:
    more = len(names) - NAMED
    listed = f"{', '.join(names[:NAMED])}{f' and {more} more' if more > 0 else ''}"
    return f"{right:.1f} right, {asked:.1f} asked for: {listed}"


def _point(at: tuple[float, float], told: str, *, is_wrong: bool) -> Markup:
    shape = diamond(at, "mark beyond", 4.5) if is_wrong else disc(at, "hollow", 3.0)
    return element("g", element("title", told) + shape)


def _label(cases: Sequence[CaseResult]) -> str:
    right = sum(asked <= right for asked, right, _ in map(_known, cases))
    return (
        f"Digits that are right against digits that the allowance asks for, of {plural(len(cases), 'case')}: "
        f"{right} have as many, or more"
    )


def _nearest(cases: Sequence[CaseResult]) -> Grid:
    """The cases that have the fewest digits to spare."""
    chosen = sorted(cases, key=lambda case: _known(case)[1] - _known(case)[0])[:NEAREST]
    rows = ((case.name, f"{_known(case)[1]:.1f}", f"{_known(case)[0]:.1f}", case.outcome) for case in chosen)
    return Grid(("case, the fewest to spare first", "right", "asked for", ""), tuple(rows))
