"""What is asked of every page in a browser; each check gives what is wrong, in words."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from page_numbers import known, unfounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driven import View

WIDTHS = (360, 768, 1280)
THEMES = ("light", "dark")
SHEETS = 2  # of A4
OF_COLOURS = ("faintTexts", "faintShapes", "ofState")  # the functions of measures.js
OF_WIDTHS = ("beyond", "small")
MEASURES = OF_COLOURS + OF_WIDTHS


def console(view: View) -> Iterator[str]:
    """An error that nobody sees is a page whose half is missing elsewhere."""
    yield from view.said()


def network(view: View) -> Iterator[str]:
    """Opened on a train it waits, or it tells a server that it was opened."""
    yield from (url for url in view.asked() if url != view.url and not url.startswith("data:"))


def numbers(view: View, content: dict[str, Any]) -> Iterator[str]:
    """A reader quotes what no script finds in the report."""
    among = known(content)
    for said in view.measured("said"):
        yield from (f"{number} in {said!r}" for number in unfounded(said, among))


def colours(view: View) -> Iterator[str]:
    """Grey on grey is unreadable in the sun, and green is brown to one in twelve men."""
    for theme in THEMES:
        view.shown(WIDTHS[-1], theme, view.measured("whole"))
        for measure in OF_COLOURS:
            yield from (f"{theme}: {measure}: {each}" for each in view.measured(measure))


def widths(view: View) -> Iterator[str]:
    """On a phone the end of each line is beyond the edge."""
    for width in WIDTHS:
        view.shown(width)
        view.measured("unfold")
        for measure in OF_WIDTHS:
            yield from (f"{width}: {measure}: {each}" for each in view.measured(measure))


def keyboard(view: View) -> Iterator[str]:
    """Who has no mouse never sees what is folded."""
    view.driver.refresh()
    view.shown(WIDTHS[-1])
    left = set(range(view.measured("summaries")))
    for _ in range(view.measured("stops") + 1):
        view.pressed("Tab")
        at, is_seen, _ = view.measured("focused")
        if at in left:
            left.remove(at)
            if not is_seen:
                yield f"the focus on line {at} is not seen"
            view.pressed("Enter")
            if not view.measured("focused")[2]:
                yield f"line {at} does not unfold"
            view.pressed("Enter")
    if left:
        yield f"the keyboard does not reach {len(left)} lines"


def paper(view: View) -> Iterator[str]:
    """Two sheets are read, and ten are thrown away."""
    view.driver.refresh()
    sheets = view.printed()
    if not 1 <= sheets <= SHEETS:
        yield f"{sheets} sheets"


def outline(view: View) -> Iterator[str]:
    """A reader who hears the page jumps from heading to heading, and misses a level."""
    levels = [level for level, _ in view.measured("outline")]
    if levels[:1] != [1] or levels.count(1) != 1:
        yield f"begins {levels[:3]}"
    yield from (f"from {above} to {below}" for above, below in pairwise(levels) if below > above + 1)
    yield from (f"an empty heading {level}" for level, said in view.measured("outline") if not said)


def names(view: View) -> Iterator[str]:
    """A picture is silence, and a table a row of numbers, to whoever hears the page."""
    yield from view.measured("unnamed")


CHECKS: dict[str, Callable[[View], Iterator[str]]] = {
    "network": network, "outline": outline, "names": names, "colours": colours, "widths": widths,
    "keyboard": keyboard, "paper": paper, "console": console,
}  # fmt: skip


def faults(view: View, content: dict[str, Any]) -> dict[str, list[str]]:
    """What is wrong with the page of a run with this JSON, by the check that says so."""
    found = {"numbers": list(numbers(view, content))} | {name: list(check(view)) for name, check in CHECKS.items()}
    return {name: problems for name, problems in found.items() if problems}
