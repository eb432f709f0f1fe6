"""What is worth saying about one sample: numbers that its format cannot hold, and losses that are what they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.diagnose.verdict import OF_PATH
from xentcli.explain.exact import text
from xentcli.explain.ways import MOST_TERMS
from xentcli.records.report import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal
    from fractions import Fraction

    from xentcli.explain.steps import Lesson
    from xentcli.numbers.precision import Precision
    from xentcli.records.explanation import ClassSum, Gradient
    from xentcli.records.report import Losses


@dataclass(frozen=True, eq=False)
class Told:
    """What there is to remark on."""

    lesson: Lesson
    coefficients: Sequence[Fraction]  # [C]
    losses: Losses
    class_sum: ClassSum
    gradient: Gradient

    @property
    def least_probable(self) -> int:
        """The class that is the first to underflow, of those whose probability a logarithm is taken of."""
        logits = self.lesson.true.logits
        if self.lesson.label is not None and not self.lesson.form.is_class_sum:
            return self.lesson.label
        return min((index for index, logit in enumerate(logits) if logit > -math.inf), key=logits.__getitem__)


def notes(told: Told) -> tuple[Finding, ...]:
    """All remarks, in the order of the steps."""
    checks = (
        _nan,
        _masked,
        _underflow,
        _subnormal,
        _overflow,
        _wrong,
        _zero_times_infinity,
        _lost_gradient,
        _not_followed,
        _order,
    )
    return tuple(finding for check in checks for finding in check(told))


def ignored(label: int) -> Finding:
    """Why a sample does not count."""
    return Finding(
        "ignored",
        "info",
        f"the label {label} is ignore_index: the sample's loss is 0 by definition, whatever the logits, the mean does "
        "not count it, and its gradient is 0",
    )


def _nan(told: Told) -> Iterator[Finding]:
    logits = told.lesson.true.logits
    culprits = [index for index, logit in enumerate(logits) if math.isnan(logit) or logit == math.inf]
    if culprits:
        what = f"the logit of class {culprits[0]} is {logits[culprits[0]]}"
        hint = "every probability is a part of a sum that this logit is in; look for what diverged before"
        yield Finding("nan-loss", "error", f"{what}: all probabilities and the loss are NaN", hint=hint)
    elif told.lesson.true.greatest is None:
        yield Finding("nan-loss", "error", "all logits are -inf: no class has a probability, the loss is NaN")
    elif told.losses.reference and math.isnan(told.losses.reference.lower or 0.0):
        message = "a weight or share of 0 meets a masked class, and 0 times infinity is NaN, by torch's definition too"
        yield Finding("nan-loss", "error", message, hint="leave masked classes out of the target")


def _masked(told: Told) -> Iterator[Finding]:
    if told.losses.reference and math.isinf(told.losses.reference.lower or 0.0):
        message = "a class that counts is masked: its logit is -inf, its probability 0, the true loss infinite"
        yield Finding("infinite-loss", "warning", message, hint="mask other classes, or ignore the sample")


def _underflow(told: Told) -> Iterator[Finding]:
    if told.losses.manual.status != "underflow":
        return
    right = "; the library takes the log of no probability" if told.losses.library.status == "within" else ""
    hint = "take log_softmax instead of softmax and log"
    yield Finding(
        "softmax-underflow", OF_PATH["manual"], f"{_vanishing(told.lesson, told.least_probable)}{right}", hint=hint
    )


def _vanishing(lesson: Lesson, index: int) -> str:
    """At which step the class's probability becomes 0."""
    true, arithmetic, storage = lesson.true, lesson.model.arithmetic, lesson.model.precision
    shift = f"{_brief(true.shift(index))}"
    if math.isinf(lesson.trace.shifts[index].item()):
        return f"x - max x = {shift} is beyond the largest {arithmetic.name}: it becomes -inf, exp of it 0"
    if lesson.trace.exponentials[index].item() == 0.0:
        name, value, precision = f"exp({shift})", true.exponential(index), arithmetic
    else:
        name, value, precision = f"p[{index}]", true.probability(index), storage
    below = f"{name} = {_brief(value)} is below the smallest {precision.name}, {precision.smallest:.2g}"
    return f"{below}: it becomes 0, and -log 0 is infinite"


def _subnormal(told: Told) -> Iterator[Finding]:
    lesson, precision = told.lesson, told.lesson.model.precision
    if told.losses.manual.status != "within" or not any(told.coefficients) or lesson.true.greatest is None:
        return
    index = told.least_probable
    value = lesson.trace.probabilities[index].item()
    if 0.0 < value < precision.smallest_normal:
        kept = _bits(value, precision)
        yield Finding(
            "subnormal-probability",
            "info",
            f"p[{index}] = {_brief(lesson.true.probability(index))} is subnormal, below {precision.name}'s smallest "
            f"normal number, {precision.smallest_normal:.2g}: only {kept} of its {precision.bits} bits are left",
        )


def _overflow(told: Told) -> Iterator[Finding]:
    precision = told.lesson.model.precision
    for name, path in (("library", told.losses.library), ("manual", told.losses.manual)):
        if path.status == "overflow":
            total = name == "library" and math.isinf(told.lesson.trace.library_total.item())
            what = f"S = {_brief(told.lesson.true.total)}" if total else "a sum or a loss on the way"
            message = f"{name} overflows: {what} is beyond the largest {precision.name}, {precision.largest:.6g}"
            wider = "float32" if precision.is_half else "float64"
            yield Finding(f"{name}-overflow", OF_PATH[name], message, hint=f"--dtype {wider}")


def _wrong(told: Told) -> Iterator[Finding]:
    precision = told.lesson.model.precision
    for name, path in (("library", told.losses.library), ("manual", told.losses.manual)):
        if path.status == "wrong":
            message = f"{name} is further from the true loss than the rounding of {precision.name} explains"
            yield Finding(f"{name}-wrong", "error", message)


def _zero_times_infinity(told: Told) -> Iterator[Finding]:
    summed = told.class_sum
    if math.isnan(summed.manual) and not math.isnan(told.losses.manual.value or 0.0):
        who = "both paths are" if math.isnan(summed.library) else "the manual path is"
        message = f"written as a sum over all classes, {who} NaN: 0 times log 0, which is -inf, is NaN"
        yield Finding(
            "zero-times-infinity", "info", message, hint="pick the label's term instead, as the steps above do"
        )


def _lost_gradient(told: Told) -> Iterator[Finding]:
    by_hand = any(math.isnan(number.manual) for number in told.gradient.classes)
    by_torch = any(math.isnan(number.library) for number in told.gradient.classes)
    if by_hand and not by_torch:
        message = "autograd through the manual path gives NaN: one such sample turns all weights of a network to NaN"
        yield Finding("manual-gradient", "warning", message, hint="train with torch.nn.functional.cross_entropy")


def _not_followed(told: Told) -> Iterator[Finding]:
    counted = sum(map(bool, told.coefficients))
    if counted > MOST_TERMS:
        message = (
            f"what each rounding adds is followed for up to {MOST_TERMS:,} classes that count; here are {counted:,}"
        )
        yield Finding("not-followed", "info", message)


def _order(told: Told) -> Iterator[Finding]:
    trace = told.lesson.trace
    again = (trace.shifts - trace.log_total).to(trace.logits.dtype)
    if (
        told.lesson.model.given == "logits"
        and told.lesson.true.greatest is not None
        and not again.equal(trace.log_probabilities)
    ):
        message = (
            "steps 2 to 4 are torch's own, taken one by one; its kernel takes them at once, and gets the last bit of "
            "the sum in another way"
        )
        yield Finding("other-order", "info", message)


def _bits(value: float, precision: Precision) -> int:
    """The significant bits a subnormal has room for."""
    return int(math.frexp(value)[1]) - precision.least_exponent


def _brief(number: Decimal) -> str:
    return text(number, 5) or ""
