"""Whether claimed bits per byte are right, and what was divided by what where they are not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xentcli.numbers.exactsum import ExactSum
from xentcli.question.claims import FEWEST_DIGITS
from xentcli.records.report import ByteClaim, Cause
from xentcli.render.numbers import rounded
from xentcli.statistics.means import group_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xentcli.question.claims import Claim
    from xentcli.question.policy import Tolerance
    from xentcli.records.statistic import Statistic

    Floats = NDArray[np.float64]

USUAL_DIGITS, MOST_DIGITS = 6, 17  # of a true value


class Spoken(Protocol):
    """What is known of the text."""

    @property
    def nats(self) -> Floats: ...
    @property
    def bits(self) -> Floats: ...
    @property
    def bytes(self) -> int: ...
    @property
    def sizes(self) -> Floats | None: ...
    @property
    def all_bytes(self) -> int: ...
    @property
    def groups(self) -> NDArray[np.int64] | None: ...


@dataclass(frozen=True)
class Slip:
    """A mistake in bits per byte, and the number that it gives; None where it gives no other."""

    code: str
    statement: str
    value: Callable[[Spoken], float | None]
    remedy: str


def _of_rows(text: Spoken, groups: NDArray[Any] | None) -> float | None:
    """The mean of the ratios of rows, or of groups of them, that have bytes."""
    if text.sizes is None:
        return None
    bits, sizes = group_sums(text.bits, groups), group_sums(text.sizes, groups)
    return float(np.mean(bits[sizes > 0.0] / sizes[sizes > 0.0]))


SLIPS = (
    Slip(
        "bits-per-token",
        "bits per token",
        lambda text: _sum(text.bits) / len(text.nats),
        "divide by the bytes, not by the tokens",
    ),
    Slip("nats-per-byte", "nats per byte", lambda text: _sum(text.nats) / text.bytes, "divide by ln 2, too"),
    Slip(
        "nats-per-token",
        "the mean loss, in nats per token",
        lambda text: _sum(text.nats) / len(text.nats),
        "divide by ln 2, and by the bytes instead of the tokens",
    ),
    Slip(
        "ignored-bytes",
        "these bits over the bytes of all rows, ignored ones among them",
        lambda text: _sum(text.bits) / text.all_bytes if text.all_bytes != text.bytes else None,
        "leave out the bytes of rows whose loss does not count",
    ),
    Slip(
        "mean-of-ratios",
        "the mean of the rows' own bits per byte",
        lambda text: _of_rows(text, None),
        "add up bits and bytes of all rows, and divide once",
    ),
    Slip(
        "mean-of-group-ratios",
        "the mean of the groups' own bits per byte",
        lambda text: None if text.groups is None else _of_rows(text, text.groups),
        "add up bits and bytes of all groups, and divide once",
    ),
)


def judged_bytes(text: Spoken, found: Statistic, claim: Claim, tolerance: Tolerance | None) -> ByteClaim:
    """The claim beside the true value and its parts; the mistakes that give it where it does not hold."""
    holds = _holds(found, claim, tolerance)
    bits = _sum(text.bits)
    implied = bits / float(claim.value) if claim.value > 0 and math.isfinite(bits) else None
    return ByteClaim(
        claimed=claim.text,
        holds=holds,
        lower=found.lower,
        upper=found.upper,
        true=_digits(found, claim, apart=holds is False),
        nats=_sum(text.nats),
        tokens=len(text.nats),
        bytes=text.bytes,
        implied=implied,
        causes=_causes(text, claim) if holds is False else (),
    )


def _holds(found: Statistic, claim: Claim, tolerance: Tolerance | None) -> bool | None:
    limits = (None, None) if tolerance is None else (tolerance.rtol, tolerance.atol)
    if not math.isfinite(found.value):
        return claim.holds(found.value, *limits)
    if not (math.isfinite(found.lower) and math.isfinite(found.upper)):
        return None
    return claim.holds((Fraction(found.lower), Fraction(found.upper)), *limits)


def _causes(text: Spoken, claim: Claim) -> tuple[Cause, ...]:
    """Those of the slips that give the claim to its digits; of too few digits nothing can be told."""
    if claim.digits < FEWEST_DIGITS:
        return ()
    values = ((slip, slip.value(text)) for slip in SLIPS)
    told = ((slip, value) for slip, value in values if value is not None and claim.shows(value))
    return tuple(Cause(each.code, f"{each.statement}: {rounded(value, 8)}", value, each.remedy) for each, value in told)


def _digits(found: Statistic, claim: Claim, *, apart: bool) -> str | None:
    """The fewest certain digits that tell the true value from the claim; None where none is certain."""
    if not math.isfinite(found.value):
        return str(found.value)
    pairs = ((rounded(found.lower, digits), rounded(found.upper, digits)) for digits in range(3, MOST_DIGITS + 1))
    known = [low for low, high in pairs if low == high]
    usual = known[: USUAL_DIGITS - 2]
    telling = (each for each in [*usual[-1:], *known[len(usual) :]] if not apart or claim.is_apart(Decimal(each)))
    return next(telling, known[-1] if known else None)


def _sum(values: Floats) -> float:
    return ExactSum.of(values).value()
