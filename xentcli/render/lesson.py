"""The tables that an explanation is made of, as texts."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING

from xentcli.numbers.precision import PRECISIONS
from xentcli.render.cells import TRUE, Grid
from xentcli.render.numbers import against, brief, shortest

if TYPE_CHECKING:
    from xentcli.records.explanation import ClassNumber, Explanation, PathStep, Step
    from xentcli.records.report import PathResult

DIGITS = 8  # more than seven, less than nine: enough to see a float32, and six columns fit 80
FEW_DIGITS = 6  # where seven columns must fit 80
PLAIN = range(-4, DIGITS)  # decimal exponents that are written without an e
GROUPS = {(True, True): "both", (True, False): "manual", (False, True): "library"}  # which paths take a step


def plan(told: Explanation) -> Grid:
    """What is done and why; a line of its own says where the paths part."""
    rows = []
    group = "both"
    for step in told.steps:
        if _group(step) != group:
            group = _group(step)
            rows.append((group, "", ""))
        rows.append((f"{step.number} {step.name}", step.formula, step.why))
    return Grid(("step", "formula", "why"), tuple(rows))


def classes(told: Explanation) -> Grid:
    """What every step makes of each class; * is the label."""
    steps = {step.name: step for step in told.steps}
    if told.options.input != "logits" or told.options.binary:
        return _given_classes(told)
    logits, shifts, exponentials, probabilities = (
        steps[name].classes for name in ("logits", "shift", "exponentials", "probabilities")
    )
    rows = [
        (_class(told, x.index), _value(told, x), _value(told, s), *_with_off(told, e), *_with_off(told, p))
        for x, s, e, p in zip(logits, shifts, exponentials, probabilities, strict=True)
    ]
    total = steps["sum"]
    if total.manual is not None:
        ends = (number(told, total.manual.value), brief(total.manual.ulp))
        rows.append(("4 sum", "", "", *ends, "", ""))
    return Grid(("class", "1 logit", "2 shift", "3 exponential", "off", "5 probability", "off"), tuple(rows))


def _given_classes(told: Explanation) -> Grid:
    """The same of what is given further on, and of each number that is made of it."""
    first, *others = (step for step in told.steps if step.classes)
    rows = [
        (
            _class(told, number.index),
            _value(told, number),
            *(cell for each in others for cell in _of_class(told, each, at)),
        )
        for at, number in enumerate(first.classes)
    ]
    headings = [heading for each in others for heading in (f"{each.number} {each.name}", "off")]
    return Grid(("class", f"{first.number} {first.name}", *headings), tuple(rows))


def _of_class(told: Explanation, step: Step, at: int) -> tuple[str, str]:
    return _with_off(told, step.classes[at])


def cast(told: Explanation) -> Grid:
    """The logits before and after --dtype."""
    after = told.steps[0].classes
    rows = (
        (_class(told, old.index), number(told, old.value), number(told, new.value), brief(old.ulp))
        for old, new in zip(told.stored, after, strict=True)
    )
    return Grid(("class", "stored", told.options.dtype, "off"), tuple(rows))


def paths(told: Explanation) -> Grid:
    """The number that each step gives each path, and what its rounding adds to the loss."""
    rows = [
        (f"{step.number} {step.name}", *_path(told, step.manual), *_path(told, step.library), significant(step.true))
        for step in told.steps[1:]
    ]
    together = _together(told, "manual"), _together(told, "library")
    if any(together):
        rows.append(("all", "", together[0], "", together[1], ""))
    return Grid(("step", "manual", "adds", "library", "adds", "true"), tuple(rows))


def losses(told: Explanation) -> Grid:
    """Both losses against the true one."""
    found = (("library", told.losses.library), ("manual", told.losses.manual))
    rows = [_loss(told, name, path) for name, path in found]
    if told.losses.reference:
        rows.append((TRUE, told.losses.reference.decimal or "", "", "", "", ""))
    return Grid(("", "loss", "error", "allowed", "ulp", "status"), tuple(rows))


def class_sum(told: Explanation) -> Grid:
    """The terms of the one-hot form, and their sums."""
    if told.class_sum is None:
        return Grid(("class",), ())
    share = letter(told, weighed=False)
    weighed = is_weighed(told)
    rows = []
    for term in told.class_sum.terms:
        weights = (term.target, term.coefficient if weighed else None)
        products = (term.manual_log, term.manual, term.library_log, term.library)
        rows.append((_class(told, term.index), *(number(told, each, FEW_DIGITS) for each in weights + products)))
    sums = (told.class_sum.manual, None, told.class_sum.library)
    rows.append(("sum", "", "", "", *(number(told, each, FEW_DIGITS) for each in sums)))
    return Grid(("class", share, "a_c", "log p_c", "manual", "log p_c", "library"), tuple(rows))


def is_weighed(told: Explanation) -> bool:
    """Whether a class counts for something else than its share of the target."""
    return told.options.weight is not None or told.options.label_smoothing > 0.0


def letter(told: Explanation, *, weighed: bool) -> str:
    """What a class counts for: its share of the target, or that weighed."""
    share = "q_c" if told.label is None else "y_c"
    return "a_c" if weighed else share


def gradient(told: Explanation) -> Grid:
    """dL/dx_c by autograd, beside the true one."""
    if told.gradient is None:
        return Grid(("class",), ())
    rows = [
        (_class(told, each.index), significant(each.true), number(told, each.library), number(told, each.manual))
        for each in told.gradient.classes
    ]
    if told.options.input == "logits" and not told.options.binary:
        rows.append(("sum", "0", number(told, told.gradient.total), ""))
    return Grid(("class", "true", "library", "manual"), tuple(rows))


def number(told: Explanation, value: float | None, digits: int = DIGITS) -> str:
    """A number of a path: all that it is where that is short, else to so many digits; "1" and "0" for these alone."""
    if value is None:
        return ""
    # 16-bit numbers in the digits of their arithmetic: the errors beside them are of it
    text = shortest(value + 0.0, PRECISIONS[PRECISIONS[told.options.dtype].arithmetic]).removesuffix(".0")
    if len(text) <= digits + 3 or not math.isfinite(value):
        return text
    return significant(repr(value), digits)


def significant(text: str | None, digits: int = DIGITS) -> str:
    """A decimal to so many significant digits; other numbers than 1 are 1-5.6e-17 or so."""
    if text is None:
        return ""
    exact = Decimal(text)
    if not exact.is_finite():
        return text
    short = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(exact)
    if abs(short) == 1 and short != exact:
        return f"{'-' * (exact < 0)}1{abs(exact) - 1:+.1e}"
    plain = short.is_zero() or short.adjusted() in PLAIN
    return f"{short.normalize():f}" if plain else f"{short.normalize():e}"


def signed(nats: float | None) -> str:
    """What a rounding adds; nothing where it is not known."""
    if nats is None:
        return ""
    return f"{nats:+.1e}" if nats else "0"


def _group(step: Step) -> str:
    return GROUPS[step.manual is not None, step.library is not None]


def _class(told: Explanation, index: int) -> str:
    mark = "*" * (index == told.label and not told.ignored)
    return f"{mark}{index} {told.class_name(index)}".strip()


def _value(told: Explanation, step: ClassNumber) -> str:
    return number(told, step.value)


def _with_off(told: Explanation, step: ClassNumber) -> tuple[str, str]:
    """A number, and how far off it is in units of the last place."""
    lost = step.value == 0.0 and step.true not in {None, "0"}
    return number(told, step.value), "lost" if lost else brief(step.ulp)


def _path(told: Explanation, step: PathStep | None) -> tuple[str, str]:
    return ("", "") if step is None else (number(told, step.value), signed(step.adds))


def _together(told: Explanation, path: str) -> str:
    """What all roundings add: the error."""
    adds = [getattr(step, path).adds for step in told.steps if getattr(step, path)]
    return "" if None in adds else signed(math.fsum(adds))


def _loss(told: Explanation, name: str, path: PathResult) -> tuple[str, ...]:
    loss = (
        "" if path.value is None else shortest(path.value + 0.0, PRECISIONS[PRECISIONS[told.options.dtype].arithmetic])
    )
    return (name, loss, *against(path.error, path.allowed), brief(path.ulp), path.status or "")
