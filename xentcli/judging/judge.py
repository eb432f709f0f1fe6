"""Facts and a tolerance make a verdict."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from xentcli.losses.digits import decimal
from xentcli.numbers.exactsum import nearest_float
from xentcli.question.policy import TESTING_TOLERANCES, Tolerance
from xentcli.records.report import (
    STATUSES,
    Cast,
    Discrepancy,
    Enclosure,
    Judgement,
    Losses,
    PathResult,
    Status,
    is_at_fault,
)

if TYPE_CHECKING:
    from xentcli.losses.digits import Interval
    from xentcli.measuring.facts import Measured, PathFacts, TruthFacts
    from xentcli.numbers.exactsum import ExactSum
    from xentcli.numbers.precision import Precision
    from xentcli.question.claims import Claim
    from xentcli.question.policy import Policy
    from xentcli.question.problem import Reduction

SMALL_INPUT_DIGITS = 30  # printed where every loss was enclosed exactly
FLOAT64_DIGITS = 17


@dataclass(frozen=True)
class Question:
    """What decides how facts are judged, besides the facts."""

    reduction: Reduction
    precision: Precision
    policy: Policy


@dataclass(frozen=True)
class Total:
    """A reduced value known by proof: an interval, or the infinity or NaN that it is."""

    interval: Interval | None
    value: float  # the float64 nearest to the interval's middle; NaN where nothing is known
    is_open: tuple[bool, bool] = (False, False)  # no lower end is known, no upper one: what 16 bits cut off may be any

    @classmethod
    def of(cls, facts: TruthFacts, denominator: Fraction) -> Total:
        """The true sum over `denominator`."""
        if not facts.is_known:
            return cls(None, math.nan, (True, True))
        interval = facts.interval()
        if interval is None:
            return cls(None, _quotient(facts.middle, denominator))
        if not denominator:
            return cls(None, _infinity(interval))
        lower, upper = sorted(end / denominator for end in interval)
        is_open = (bool(facts.unbounded) and denominator < 0, bool(facts.unbounded) and denominator > 0)
        return cls((lower, upper), nearest_float((lower + upper) / 2), is_open)

    @property
    def is_enclosed(self) -> bool:
        """Whether both ends are known, or the infinity or NaN that it is."""
        return not any(self.is_open)

    def error(self, value: float) -> float:
        """How far a value is from the middle, which float64 may not hold."""
        if self.interval is None or math.isfinite(self.value) or not math.isfinite(value):
            return _error(value, self.value)
        return nearest_float(abs(Fraction(value) - (self.interval[0] + self.interval[1]) / 2))

    @property
    def radius(self) -> float:
        return nearest_float((self.interval[1] - self.interval[0]) / 2) if self.interval else 0.0

    @property
    def rounding(self) -> float:
        """What rounding the middle to float64 moved, which an error from `value` has in it."""
        if self.interval is None or not math.isfinite(self.value):
            return 0.0
        return nearest_float(abs((self.interval[0] + self.interval[1]) / 2 - Fraction(self.value)))

    def digits(self, most: int) -> str | None:
        """The decimal with as many certain digits as there are, `most` at the most; None where not one is certain."""
        if not self.is_enclosed:
            return None
        if self.interval is None:
            return str(self.value)
        lower, upper = self.interval
        return next((text for digits in range(most, 0, -1) if (text := decimal(lower, upper, digits))), None)

    def enclosure(self, most_digits: int) -> Enclosure:
        lower = upper = self.value
        if self.interval is not None:
            lower, upper = (_outward(end, side) for end, side in zip(self.interval, (-1, 1), strict=True))
        below, above = self.is_open
        return Enclosure(-math.inf if below else lower, math.inf if above else upper, self.digits(most_digits))

    def holds(self, claim: Claim, tolerance: Tolerance | None) -> bool | None:
        """Whether it is what was claimed; None where what is known of it leaves that open."""
        limits = (tolerance.rtol, tolerance.atol) if tolerance else (None, None)
        if self.is_enclosed:
            return claim.holds(self.interval or self.value, *limits)
        if self.interval is None or isinstance(claim.value, float):
            return None
        known, side = (self.interval[1], -1) if self.is_open[0] else (self.interval[0], 1)
        is_beyond = (claim.value - known) * side < 0 and claim.holds((known, known), *limits) is False
        return False if is_beyond else None


@dataclass(frozen=True)
class Verdict:
    """What is known, and what follows from it."""

    losses: Losses
    discrepancy: Discrepancy
    denominator: Fraction | None
    truth: Total | None
    cast: Cast | None
    judgement: Judgement


def judge(measured: Measured, question: Question) -> Verdict:
    """The verdict on both paths."""
    denominator = _denominator(measured.divisor, question)
    truth = _total(measured.truth, denominator)
    library = _judge_path(measured.library, denominator, truth, question)
    manual = _judge_path(measured.manual, denominator, truth, question)
    losses = Losses(library, manual, _reference(measured, truth, question.policy.digits))
    discrepancy = _discrepancy(library, manual, measured, question)
    stored, is_free = measured.stored, _is_free(measured, losses, truth)
    return Verdict(
        losses=losses,
        discrepancy=discrepancy,
        denominator=denominator,
        truth=truth,
        cast=_cast(truth, _total(stored.truth, _denominator(stored.divisor, question))) if stored else None,
        judgement="undecided" if is_free else _judgement(losses, discrepancy, measured.truth, truth, question),
    )


def _is_free(measured: Measured, losses: Losses, truth: Total | None) -> bool:
    """Whether no sample counts, or rounding allows the library anything."""
    if not measured.counted:
        return True
    facts, is_number = measured.library, truth is None or truth.interval is not None
    anything = not facts.allowed.is_finite or (facts.reduced is not None and math.isinf(facts.reduced.slack))
    return anything and is_number and losses.library.status == "within"


def so_far(measured: Measured, question: Question, places: int | None = None) -> str:
    """The loss of the samples so far, with the digits of it that are certain; empty where there is none.

    places  decimal places of it at most; None for all that are certain
    Without a reference it is the library's, with the digits that every number of the dtype has.
    """
    denominator = _denominator(measured.divisor, question)
    if not denominator:
        return ""
    if measured.truth is None:
        digits = math.floor((question.precision.bits - 1) * math.log10(2))
        return f"library's {question.reduction} {_quotient(measured.library.total, denominator):.{digits}g}"
    total = Total.of(measured.truth, denominator)
    certain = total.digits(FLOAT64_DIGITS if places is None else _digits(total.value, places))
    return f"{question.reduction} {certain}" if certain else ""


def _digits(value: float, places: int) -> int:
    """The significant digits of a number with so many decimal places, two at least."""
    whole = math.floor(math.log10(abs(value))) + 1 if value and math.isfinite(value) else 1
    return min(max(whole + places, 2), FLOAT64_DIGITS)


def _infinity(interval: Interval) -> float:
    """A sum divided by 0."""
    if interval[0] * interval[1] <= 0:
        return math.nan
    return math.inf if interval[0] > 0 else -math.inf


def _denominator(divisor: ExactSum, question: Question) -> Fraction | None:
    """What the sum of the losses is divided by; None without a reduction."""
    if question.reduction == "none":
        return None
    return divisor.fraction() if question.reduction == "mean" else Fraction(1)


def _total(facts: TruthFacts | None, denominator: Fraction | None) -> Total | None:
    return None if facts is None or denominator is None else Total.of(facts, denominator)


def _reference(measured: Measured, truth: Total | None, digits: int | None) -> Enclosure | None:
    if measured.truth is None:
        return None
    if truth is None:
        return Enclosure(None, None)
    return truth.enclosure(digits or (SMALL_INPUT_DIGITS if measured.truth.is_exact else FLOAT64_DIGITS))


def _judge_path(facts: PathFacts, denominator: Fraction | None, truth: Total | None, question: Question) -> PathResult:
    value = None if denominator is None else _reduced_value(facts, denominator)
    rows: dict[str, int] = {status: facts.statuses[status] for status in STATUSES if status in facts.statuses}
    gravest = max(facts.statuses, key=STATUSES.index, default=None)
    streamed = value is not None and facts.reduced is None
    if value is None or truth is None or denominator is None or not truth.is_enclosed:
        return PathResult(value, None, None, None, gravest, rows, facts.worst, streamed)
    error = truth.error(value)
    allowed = _allowed(facts, denominator, truth, question.policy.tolerance)
    status = _reduced_status(value, error, allowed, truth, facts)
    if question.policy.tolerance is None:
        status = max((status, gravest or "within"), key=STATUSES.index)
    ulp = error / question.precision.ulp(truth.value)
    limit = allowed if math.isfinite(value) else None  # no infinity is allowed by size
    return PathResult(value, error, limit, ulp, status, rows, facts.worst, streamed)


def _reduced_value(facts: PathFacts, denominator: Fraction) -> float:
    return facts.reduced.value if facts.reduced else _quotient(facts.total, denominator)


def _allowed(facts: PathFacts, denominator: Fraction, truth: Total, tolerance: Tolerance | None) -> float:
    if tolerance is not None:
        return tolerance.allowed(truth.value)
    slack = facts.reduced.slack if facts.reduced else math.ulp(truth.value)  # a streamed total is rounded once
    return _quotient(facts.allowed, abs(denominator)) + slack


def _reduced_status(value: float, error: float, allowed: float, truth: Total, facts: PathFacts) -> Status:
    """The status of a reduced value; an infinity or a NaN that is explained takes the name of its cause.

    Nothing is held against a value whose truth, or whose allowance, is not known: `_judgement` says so.
    """
    comparable = math.isfinite(value) or truth.interval is None
    if comparable and error <= allowed + truth.radius + truth.rounding:
        return "within"
    explained: tuple[Status, ...] = ("underflow", "overflow")
    cause = next((status for status in explained if facts.statuses[status]), None)
    if cause and not math.isfinite(value):
        return cause
    if facts.reduced and facts.reduced.overflow:
        return "overflow"
    if math.isinf(allowed):
        return "within"
    return "nan" if math.isnan(value) else "wrong"


def _discrepancy(library: PathResult, manual: PathResult, measured: Measured, question: Question) -> Discrepancy:
    """Library against manual: their reduced values, or without a reduction the samples furthest apart."""
    pair = measured.pair
    if library.value is not None and manual.value is not None:
        left, right = library.value, manual.value
    elif pair is not None:
        left, right = pair.library, pair.manual
    else:
        return Discrepancy(None, None, None, None, None)
    absolute = _error(left, right)
    larger = max(abs(left), abs(right))
    finite = math.isfinite(absolute) and absolute > 0.0
    relative = absolute / larger if finite else absolute
    ulp = absolute / question.precision.ulp(larger) if finite else absolute
    return Discrepancy(absolute, relative, ulp, _allowed_apart(library, manual, left, question), pair)


def _allowed_apart(library: PathResult, manual: PathResult, value: float, question: Question) -> float | None:
    """How far apart the paths may be: as far as both may be from the truth; without one, torch.testing's default."""
    tolerance = question.policy.tolerance
    if question.policy.reference == "off":
        return (tolerance or Tolerance(*TESTING_TOLERANCES[question.precision.name])).allowed(value)
    if library.allowed is None or manual.allowed is None:
        return None
    return library.allowed + manual.allowed


def _judgement(
    losses: Losses, discrepancy: Discrepancy, facts: TruthFacts | None, truth: Total | None, question: Question
) -> Judgement:
    if losses.reference is None:
        return _judge_pair(discrepancy)
    paths = {"library": losses.library, "manual": losses.manual}
    if any(is_at_fault(name, path.status) for name, path in paths.items()):
        return "fails"
    is_enclosed = facts is None or facts.is_closed if truth is None else truth.is_enclosed
    if not is_enclosed:
        return "undecided"
    if question.policy.tolerance is None or truth is None:
        return "holds"
    open_ones = (path for path in paths.values() if path.status == "within" and not _is_proven(path, truth))
    return "undecided" if any(open_ones) else "holds"


def _judge_pair(discrepancy: Discrepancy) -> Judgement:
    """The verdict without a reference: whether the paths are as close as is allowed."""
    if discrepancy.absolute is None or discrepancy.allowed is None:
        return "undecided"
    return "holds" if discrepancy.absolute <= discrepancy.allowed else "fails"


def _is_proven(path: PathResult, truth: Total) -> bool:
    """Whether the error is within a user's tolerance wherever in its enclosure the truth lies."""
    return path.error is None or path.allowed is None or path.error + truth.radius <= path.allowed


def _cast(after: Total | None, before: Total | None) -> Cast | None:
    """The effect of --dtype on the true value; None where nothing was lost or nothing is certain."""
    if after is None or before is None or not (after.is_enclosed and before.is_enclosed):
        return None
    if after.interval is None or before.interval is None:
        return None
    lower = after.interval[0] - before.interval[1]
    upper = after.interval[1] - before.interval[0]
    return Cast(nearest_float((lower + upper) / 2), _outward(lower, -1), _outward(upper, 1))


def _error(value: float, truth: float) -> float:
    """|value − truth|, 0 between equal infinities, NaN where either is."""
    return 0.0 if value == truth else abs(value - truth)


def _quotient(total: ExactSum, denominator: Fraction) -> float:
    """The float64 nearest to total / denominator; with infinities, NaN or zero what IEEE division gives."""
    if total.is_finite and denominator:
        return nearest_float(total.fraction() / denominator)
    if denominator or not total.value():
        return total.value() * ((1.0 if denominator > 0 else -1.0) if denominator else math.nan)
    return math.copysign(math.inf, total.value())


def _outward(end: Fraction, side: int) -> float:
    """A float64 at or beyond this end of an enclosure, `side` −1 for the lower and 1 for the upper one."""
    nearest = nearest_float(end)
    if nearest == -side * math.inf:  # the end is a number beyond float64
        return -side * sys.float_info.max
    inside = math.isfinite(nearest) and (Fraction(nearest) - end) * side < 0
    return math.nextafter(nearest, side * math.inf) if inside else nearest
