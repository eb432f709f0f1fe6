"""One row's loss in one plain sentence, whose equation holds for whoever types it into a calculator."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

from xentcli.render import lesson

if TYPE_CHECKING:
    from xentcli.records.explanation import Explanation

EXACT = Context(prec=40)
LOSS_DIGITS = 4
FEW, MOST = 3, 24  # digits of the probability: as many as it takes for the equation to hold
NEAR_ONE = 1e-9  # nats
SMALL = Decimal("1e-4")  # a probability below this is no percentage that anybody reads
WHO = {"logits": "the network"}


def sentence(told: Explanation) -> str:
    """What the row's loss is, and what of."""
    if told.ignored:
        return f"Row {told.row} does not count: its label is {told.label}, the ignored one."
    reference = told.losses.reference
    loss = None if reference is None or reference.decimal is None else Decimal(reference.decimal)
    if told.label is None:
        return _of_target(told, loss)
    if loss is None or loss.is_nan() or _probability(told).is_nan():
        return f"Row {told.row}: there is no loss to explain, see below."
    return f"Row {told.row}: {_given(told)}; {_equation(told, loss)}."


def _of_target(told: Explanation, loss: Decimal | None) -> str:
    over = f"the sum of -{lesson.letter(told, weighed=lesson.is_weighed(told))} ln p_c over {told.classes:,} classes"
    if loss is None or loss.is_nan():
        return f"Row {told.row}: there is no loss to explain, see below."
    return f"Row {told.row}: the loss against the target probabilities is {_nats(loss)}, {over}."


def _given(told: Explanation) -> str:
    """What the label gets, in percent where that can be read."""
    name = "" if told.label is None else told.class_name(told.label)
    who, label = WHO.get(told.options.input, "the file"), f"{told.label} {name}".strip()
    share = f"1-{_missing(told)}" if _is_near_one(told) else percentage(_probability(told))
    return f"{who} gives the label, class {label}, the probability {share}"


def _is_near_one(told: Explanation) -> bool:
    """Whether what the probability lacks of 1 is its -ln, to all digits that are shown."""
    return told.surprisal is not None and 0.0 < told.surprisal < NEAR_ONE


def _missing(told: Explanation) -> str:
    return lesson.significant(str(told.surprisal), LOSS_DIGITS)


def _probability(told: Explanation) -> Decimal:
    """The true one of the label."""
    return Decimal(next(step.true for step in told.steps if step.name == "gather") or "nan")


def percentage(share: Decimal) -> str:
    """To four digits, or as many as it takes to tell it from all; a tiny share as it is."""
    if share in {0, 1}:
        return f"{share:f}"
    if share < SMALL:
        return lesson.significant(str(share), FEW)
    digits = next((each for each in range(4, MOST) if Context(prec=each).plus(share) < 1), None)
    return f"{(100 * Context(prec=digits).plus(share)).normalize():f} %" if digits else lesson.significant(str(share))


def _equation(told: Explanation, loss: Decimal) -> str:
    """-ln of the probability, in the digits that give it; with weights, what they make of it."""
    share = _probability(told)
    if not share:
        return "the loss is -ln 0, which is infinite"
    text = f"-ln(1-{_missing(told)}) = {_missing(told)} nats" if _is_near_one(told) else _plain(share)
    if lesson.is_weighed(told):
        return f"{text}, of which weights and smoothing make the loss {_nats(loss)}"
    return f"the loss is {text}"


def _plain(share: Decimal) -> str:
    plain = -EXACT.ln(share)
    return f"-ln {_enough(share, plain)} = {_nats(plain)}"


def _enough(share: Decimal, plain: Decimal) -> str:
    """The share in the fewest digits whose logarithm is the loss, as it is printed."""
    texts = (lesson.significant(str(share), digits) for digits in range(FEW, MOST))
    found = (text for text in texts if "-" not in text[1:2] and "+" not in text)
    return next((text for text in found if _shown(-EXACT.ln(Decimal(text))) == _shown(plain)), str(share))


def _shown(loss: Decimal) -> str:
    return lesson.significant(str(loss), LOSS_DIGITS)


def _nats(loss: Decimal) -> str:
    return f"{_shown(loss)} nats" if loss.is_finite() else "infinite"
