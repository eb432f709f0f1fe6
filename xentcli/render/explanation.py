"""One sample's loss for reading: the steps, the classes, both paths side by side, and what follows from them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.render import lesson
from xentcli.render.cells import TRUE, Grid
from xentcli.render.curve import FARTHEST, curve
from xentcli.render.drawing import COLORS, colored, draw, entries, filled, fitted_table, heading
from xentcli.render.fitting import NARROWEST_GAP, grid_width
from xentcli.render.numbers import against, brief, plural
from xentcli.render.sentence import sentence
from xentcli.render.wording import SEVERITIES, finding_details, printable, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.explanation import Explanation
    from xentcli.records.report import Finding
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

    Told = tuple[str, Grid, Iterable[Entry]]  # a table under its heading, and what is said below it

LEFT = {"step", "formula", "why", "", "loss"}  # words; and the losses, whose equal digits stand below each other
DEFAULTS = {
    "weight": None,
    "ignore_index": -100,
    "label_smoothing": 0.0,
    "device": "cpu",
    "input": "logits",
    "binary": False,
    "pos_weight": None,
    "shift": False,
    "temperature": None,
    "softcap": None,
    "z_loss": None,
}

PUSH = (
    "a step against it pushes the label's logit up, by 1 - p, and the others down, by p; it sums to 0, and no entry is "
    "beyond 1, however wrong the prediction"
)


def as_json(told: Explanation, _page: Page) -> str:
    """The record itself, as one JSON object."""
    return json.dumps(told.to_dict(), allow_nan=False, indent=2) + "\n"


def as_tables(told: Explanation, page: Page) -> str:
    """Tables that fit 80 columns, sentences as wide as the page."""
    return draw(_sections(printable(told), page.width), page)


def _sections(told: Explanation, width: int) -> Iterator[Section]:
    yield [heading(sentence(told), width), Text(filled(title(told), width)), *entries(about(told), width)]
    yield _loss(told, width)
    for finding in told.findings:
        yield _finding(finding, width)
    yield from (_part(*each, width) for each in steps(told))
    yield from (_part(*each, width) for each in derivatives(told))
    yield from _picture(told, width)
    yield [colored(f"{told.verdict}: {told.summary}", COLORS[told.verdict], width)]


def _loss(told: Explanation, width: int) -> Section:
    """Both losses below the true one, whose digits have a line of their own where they take the others' room."""
    grid = lesson.losses(told).without_blanks()
    if grid_width(grid, NARROWEST_GAP) <= width:
        return _part("The loss, in nats", grid, (), width)
    kept = Grid(grid.head, tuple(row for row in grid.rows if row[0] != TRUE))
    return _part("The loss, in nats", kept, [(row[0], row[1]) for row in grid.rows if row[0] == TRUE], width)


def steps(told: Explanation) -> Iterator[Told]:
    """What leads to the loss."""
    yield "The steps", lesson.plan(told), ()
    if told.stored:
        yield "The logits after the cast, off in units of the last place", lesson.cast(told), _cast(told)
    yield _classes_title(told), lesson.classes(told), ()
    if not told.ignored:
        yield _paths_title(told), lesson.paths(told), _lost(told)


def derivatives(told: Explanation) -> Iterator[Told]:
    """What follows from it: the sum over all classes, and the gradient."""
    known = told.gradient is not None and told.gradient.error is not None
    if told.class_sum and known:
        yield _sum_title(told), lesson.class_sum(told), ()
    if told.gradient and known:
        yield "The gradient dL/dx_c, by autograd", lesson.gradient(told), _meaning(told)


def _part(title: str, grid: Grid, said: Iterable[Entry], width: int) -> Section:
    return [heading(title, width), fitted_table(grid.without_blanks(), LEFT, _style, width), *entries(said, width)]


def title(told: Explanation) -> str:
    """Which sample of what."""
    target = (
        "target probabilities" if told.label is None else f"label {told.label} {told.class_name(told.label)}".strip()
    )
    classes = "1 class" if told.classes == 1 else f"{told.classes:,} classes"
    return f"Row {told.row} of {told.path}: {classes}, {target}, {told.options.dtype}"


def about(told: Explanation) -> Iterator[Entry]:
    """Why it was chosen, where it stands, and the options."""
    if told.worst and told.rows > 1:
        rows = f"the furthest from the truth of {plural(told.rows, 'row')}, against what rounding allows"
        yield "chosen", f"{rows}; --row chooses another"
    if len(told.index) > 1:
        yield "index", ", ".join(map(str, told.index))
    changed = {name: getattr(told.options, name) for name, default in DEFAULTS.items()}
    texts = (typed(name, value) for name, value in changed.items() if value != DEFAULTS[name])
    yield "options", " ".join(texts)


def _classes_title(told: Explanation) -> str:
    shown = len(told.steps[0].classes)
    hidden = told.classes - shown
    which = f"The {shown} that matter most ({hidden:,} left out)" if hidden else "Class by class"
    label = ", * is the label" if told.label is not None and not told.ignored else ""
    return f"{which}{label}; off in units of the last place"


def _paths_title(told: Explanation) -> str:
    whose = "The numbers" if told.label is None else "The label's numbers"
    return f"{whose} by both paths, and what each rounding adds to the loss"


def _sum_title(told: Explanation) -> str:
    return f"The same as a sum over all classes, of -{lesson.letter(told, weighed=lesson.is_weighed(told))} log p_c"


def _lost(told: Explanation) -> Iterator[Entry]:
    for path in ("manual", "library"):
        added = {step.name: getattr(step, path).adds for step in told.steps if getattr(step, path)}
        name = told.lost_at[path]
        number = next((step.number for step in told.steps if step.name == name), None)
        if name is not None and number is not None:
            what = "loses everything" if math.isinf(added[name]) else "adds most to its error"
            yield path, f"step {number}, {name}, {what}"


def _cast(told: Explanation) -> Iterator[Entry]:
    if told.cast:
        yield "effect", f"{brief(told.cast.effect, 3)} on the true loss; not counted as an error of the paths"


def _finding(finding: Finding, width: int) -> Section:
    word = SEVERITIES[finding.severity]
    sentence = colored(f"{word}: {finding.message}", COLORS[word], width)
    return [sentence, *entries(finding_details(finding), width, "  ")]


def _meaning(told: Explanation) -> Iterator[Entry]:
    if told.options.binary:
        yield "formula", "Q s(z) - a_1, where a_c is what a class counts for, and Q is a_0 + a_1"
        yield "meaning", "with respect to the one logit z; class 0 is the number 0, on which nothing depends"
    elif told.options.input != "logits":
        share = lesson.letter(told, weighed=lesson.is_weighed(told))
        yield "formula", f"-{share}" if told.options.input == "log-probabilities" else f"-{share} / p_c"
        yield "meaning", "with respect to the given numbers, not to the logits that they were made of"
    elif told.label is None or told.options.label_smoothing:
        share = lesson.letter(told, weighed=lesson.is_weighed(told))
        yield "formula", f"Q p_c - {share}, where {share} is what the class counts for, and Q the sum of all {share}"
        yield "meaning", f"a step against it brings each p_c nearer to its share {share} / Q; it sums to 0"
    elif told.options.weight:
        yield "formula", "w_y (p_c - y_c)"
        yield "meaning", PUSH.replace("beyond 1", "beyond the weight w_y")
    else:
        yield "formula", "p_c - y_c"
        yield "meaning", PUSH
    if told.gradient and told.gradient.error is not None:
        error, allowed = against(told.gradient.error, told.gradient.allowed)
        limit = f", allowed {allowed}" if allowed else ""
        yield "error", f"{error} at most, class {told.gradient.at}{limit}"


def _picture(told: Explanation, width: int) -> Iterator[Section]:
    if told.surprisal is None:
        return
    probability = lesson.significant(next(step.true for step in told.steps if step.name == "gather"))
    numbers = f"p = {probability}, -log p = {told.surprisal:.6g}"
    if told.surprisal > FARTHEST:
        yield [heading(f"This sample is off every chart of -log p: {numbers}", width)]
    else:
        yield [
            heading(f"The curve of -log p; X is this sample: {numbers}", width),
            *map(Text, curve(told.surprisal, width)),
        ]


def _style(column: str, cell: str) -> str:
    if column == "status":
        return COLORS.get(cell, "")
    if cell in {"lost", "+inf", "inf", "nan"}:
        return "yellow"
    if cell in {"manual", "library", "both", "all"}:
        return "bold"
    return "bold" if cell.startswith("*") else ""
