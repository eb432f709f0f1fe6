"""The findings that explain a verdict: what underflowed, overflowed, is NaN, infinite or wrong, and what mends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from xentcli.bounds.probable import probable_total
from xentcli.bounds.reduction import cascade_height
from xentcli.numbers.exactsum import nearest_float
from xentcli.records.report import Finding, PathResult, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.judging.judge import Question, Verdict
    from xentcli.measuring.facts import Measured, PathFacts
    from xentcli.measuring.traits import Traits
    from xentcli.numbers.precision import Precision

MANY, FEW = 100, 10  # rows whose errors may be taken for random; of which one in so many may be odd
# an overflow of the manual path is the textbook's weakness, as its underflow is; one of the library is torch's
OF_PATH: dict[str, Severity] = {"library": "error", "manual": "warning"}
LOOK = {
    True: "look at the worst row with `xent explain LOGITS LABELS --row ROW`",
    # `explain` has the cross-entropy of the logits as they are stored alone
    False: "--reduction none --rows N shows the losses of N rows, the worst among them",
}
NOTICED = 2.0  # units of roundoff that a reduction may lose before it is worth a word


@dataclass(frozen=True)
class Judged:
    """Everything a finding may speak of."""

    measured: Measured
    verdict: Verdict
    question: Question
    as_stored: bool = True  # whether the losses are the cross-entropies of the logits as these are stored

    @property
    def precision(self) -> Precision:
        return self.question.precision

    @property
    def paths(self) -> tuple[tuple[str, PathResult, PathFacts], ...]:
        losses, measured = self.verdict.losses, self.measured
        return (("library", losses.library, measured.library), ("manual", losses.manual, measured.manual))

    def rows(self, count: int) -> str:
        return f"{count:,} of {self.measured.samples:,} rows"


def explain_verdict(judged: Judged) -> tuple[Finding, ...]:
    """All that is worth saying, the gravest first."""
    checks = (
        _wrong,
        _underflow,
        _overflow,
        _reduction_overflow,
        _nan,
        _zero_weight,
        _cancelling_weights,
        _infinite,
        _nothing,
        _accumulation,
        _unlikely_rows,
        _unlikely_total,
    )
    return tuple(finding for check in checks for finding in check(judged))


def _wrong(judged: Judged) -> Iterator[Finding]:
    for name, path, facts in judged.paths:
        if path.status != "wrong":
            continue
        count = facts.statuses["wrong"]
        where = f"in {judged.rows(count)}" if count else f"as a {judged.question.reduction}"
        tolerance = judged.question.policy.tolerance
        why = (
            "it is outside the given tolerance" if tolerance else f"no rounding of {judged.precision.name} explains it"
        )
        yield Finding(
            code=f"{name}-wrong",
            severity="error",
            message=f"{name} is wrong {where}: {why}",
            rows=facts.named.get("wrong", ()),
            hint=LOOK[judged.as_stored],
        )


def _underflow(judged: Judged) -> Iterator[Finding]:
    facts, precision = judged.measured.manual, judged.precision
    count, worst = facts.statuses["underflow"], facts.worst
    if not count or worst is None:
        return
    by = "softmax" if judged.measured.row_sums is None else "exp"
    right = "library takes the log of no probability and is right; " if _is_right(judged.verdict.losses.library) else ""
    wider = "" if precision.name == "float64" else "compare without underflow by --dtype float64"
    yield Finding(
        code="softmax-underflow",
        severity=OF_PATH["manual"],
        message=(
            f"{by} underflows in {judged.rows(count)}: the smallest {precision.name} is "
            f"e^-{-math.log(precision.smallest):.2f}, a smaller probability becomes 0 and its -log infinite; "
            f"the true loss of row {worst.row} is {worst.reference:.10g}"
        ),
        rows=facts.named["underflow"],
        hint=(right + wider).removesuffix("; "),
    )


def _overflow(judged: Judged) -> Iterator[Finding]:
    for name, _, facts in judged.paths:
        if facts.statuses["overflow"]:
            yield Finding(
                code=f"{name}-overflow",
                severity=OF_PATH[name],
                message=(
                    f"{name} overflows in {judged.rows(facts.statuses['overflow'])}: "
                    f"{judged.precision.name} holds nothing from {float(judged.precision.largest):.6g} on, "
                    "and a sum or a loss on the way is greater"
                ),
                rows=facts.named["overflow"],
                hint=_wider_range(judged.precision),
            )


def _reduction_overflow(judged: Judged) -> Iterator[Finding]:
    truth = judged.verdict.losses.reference
    for name, path, facts in judged.paths:
        if facts.reduced and facts.reduced.overflow and path.status == "overflow" and path.value is not None:
            yield Finding(
                code=f"{name}-reduction-overflow",
                severity=OF_PATH[name],
                message=(
                    f"{name} gives {path.value} where the true {judged.question.reduction} is "
                    f"{truth.decimal if truth else ''}: {facts.reduced.overflow} overflows {judged.precision.name}, "
                    f"which holds nothing beyond {float(judged.precision.largest):.6g}"
                ),
                hint=_wider_range(judged.precision) + ", or reduce in a wider format",
            )


def _nan(judged: Judged) -> Iterator[Finding]:
    named: dict[Status, tuple[int, ...]] = judged.measured.library.named
    count, logits = judged.measured.library.statuses["nan"], judged.measured.logits
    if not count:
        return
    if logits.nan:
        why, hint = f"{logits.nan:,} logits are NaN", "the network diverged, or the file was not fully written"
    else:
        why = "a logit is +inf, all logits of a row are -inf, or a weight or probability of 0 meets a masked class"
        hint = "0 times infinity is NaN, by torch's definition too: leave masked classes out"
    yield Finding("nan-loss", "error", f"the loss is NaN in {judged.rows(count)}: {why}", named["nan"], hint)


def _zero_weight(judged: Judged) -> Iterator[Finding]:
    if judged.measured.counted and judged.verdict.denominator == 0:
        yield Finding(
            code="zero-weight",
            severity="error",
            message="the mean is divided by the weights of the labels, and these add up to 0",
            hint="--reduction sum, or give at least one label's class a weight",
        )


def _cancelling_weights(judged: Judged) -> Iterator[Finding]:
    """Where rounding may move the sum of the weights, which the mean is divided by, by a good part of itself."""
    measured, denominator = judged.measured, judged.verdict.denominator
    if judged.question.reduction != "mean" or not denominator:
        return
    size, unit = measured.divisor_size.fraction(), judged.precision.unit_roundoff
    lost = nearest_float(size * cascade_height(measured.samples) / abs(denominator)) * unit
    if size > abs(denominator) and lost > NOTICED * math.sqrt(unit):
        yield Finding(
            code="cancelling-weights",
            severity="warning",
            message=f"weights of both signs cancel: those of the labels add up to {nearest_float(denominator):.4g}, "
            f"without their signs to {nearest_float(size):.4g}, so that {judged.precision.name} moves the divisor "
            f"of the mean by up to {min(lost, 1.0):.0%}",
            hint="divide by something that does not cancel: --reduction sum",
        )


def _infinite(judged: Judged) -> Iterator[Finding]:
    truth = judged.measured.truth
    if truth is not None and truth.middle.positive_infinities:
        yield Finding(
            code="infinite-loss",
            severity="warning",
            message=f"the true loss is infinite in {judged.rows(truth.middle.positive_infinities)}: "
            "the label's logit is -inf, its probability 0",
            hint="a label on a masked class? mask others, or ignore the sample by --ignore-index",
        )


def _nothing(judged: Judged) -> Iterator[Finding]:
    measured = judged.measured
    if measured.counted:
        return
    what = f"all {measured.samples:,} samples are ignored" if measured.samples else "there are no samples"
    hint = "is --ignore-index meant to be one of the classes?" if measured.samples else "is this the right file?"
    message = f"{what}: the mean of nothing is NaN, its sum is 0"
    yield Finding("nothing-counted", "warning", message, hint=hint)


def _accumulation(judged: Judged) -> Iterator[Finding]:
    reduced, truth = judged.measured.library.reduced, judged.verdict.truth
    if reduced is None or truth is None or not reduced.reproduced or not judged.precision.is_half or not truth.value:
        return
    lost = reduced.slack / abs(truth.value)
    if lost > NOTICED * judged.precision.unit_roundoff:
        yield Finding(
            code="sixteen-bit-accumulation",
            severity="info",
            message=f"torch adds the losses in {judged.precision.name}: {lost:.1%} of the "
            f"{judged.question.reduction} was lost on the way, reproduced bit for bit",
            hint='reduce in float32: F.cross_entropy(logits, labels, reduction="none").float().mean()',
        )


def _unlikely_rows(judged: Judged) -> Iterator[Finding]:
    for name, _, facts in judged.paths:
        if facts.unlikely.count:
            yield _unlikely(f"{name}'s errors in {judged.rows(facts.unlikely.count)} are", facts.unlikely.times,
                            facts.unlikely.rows)  # fmt: skip


def _unlikely_total(judged: Judged) -> Iterator[Finding]:
    """A total that is off by more than random errors of so many rows add up to."""
    truth, denominator, traits = judged.verdict.truth, judged.verdict.denominator, judged.measured.traits
    if truth is None or truth.interval is None or not denominator or traits is None or not _is_varied(traits, judged):
        return
    for name, path, facts in judged.paths:
        known = facts.reduced is not None and facts.allowed.is_finite and path.status == "within" and path.error
        if not known or facts.reduced is None or path.error is None:
            continue
        scale = abs(denominator)
        allowed, greatest = (
            nearest_float(each / scale) for each in (facts.allowed.fraction(), Fraction(facts.greatest))
        )
        likely = probable_total(allowed, greatest, facts.reduced.slack)
        if path.error - truth.radius > likely:
            yield _unlikely(f"{name}'s {judged.question.reduction} is", (path.error - truth.radius) / likely)


def _is_varied(traits: Traits, judged: Judged) -> bool:
    """Whether rounding may be taken for random: many rows that differ, whose losses and formats have digits."""
    counted, alike = judged.measured.counted, traits.equal.count + traits.lost
    differ = traits.repeated.count * MANY <= traits.looked_at and alike * FEW <= counted
    return counted >= MANY and differ and not judged.precision.is_half


def _unlikely(what: str, times: float, rows: tuple[int, ...] = ()) -> Finding:
    return Finding(
        code="unlikely-rounding",
        severity="warning",
        message=f"{what} within the proven bound, yet {times:.3g} times what rounding makes in all but one of "
        "10^9 runs",
        rows=rows,
        hint="does something else than rounding move the loss a little: a class left out, a coarser exponential?",
    )


def _is_right(path: PathResult) -> bool:
    return path.status == "within"


def _wider_range(precision: Precision) -> str:
    return "--dtype float32" if precision.is_half else "--dtype float64"
