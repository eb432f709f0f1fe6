"""What `--z-loss Z` adds to a sample's loss: Z·l², l = log Σ_c exp(x_c), as torch computes it and enclosed by proof.

With m = max x and λ of `reference`, l = m + λ.  In float64 m is exact, λ̂ errs by δ (proved there), and their sum by one
rounding, u.  Of transformed logits, each off by at most h (`transformed`), l is off by h more.  So

    |l̂ − l| ≤ ε := (1 + 2⁻²⁰)·(δ + u·|l̂| + h)        |Z·l̂² − Z·l²| ≤ Z·ε·(2|l̂| + ε)

and squaring, multiplying and adding to the loss round by u each, and lose half of the least number below the normal
range.  Exactly, l is a rational m plus the enclosure of λ, and the square of an interval has its own two ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.losses.digits import enclose_exactly
from xentcli.losses.reference import LEAST, UNIT, log_sum_error
from xentcli.losses.transformed import nearby

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.losses.class_sums import Floats, Logits
    from xentcli.losses.digits import Backend, Coefficients, Enclosing, Interval
    from xentcli.losses.reference import Rows
    from xentcli.question.block import Block
    from xentcli.question.transform import Transform

OUTWARD = 1.0 + 2.0**-20  # covers products of errors, and the rounding of these bounds
SPARE = 32  # bits more than asked for, at the least
ATTEMPTS = 6  # doublings of the precision


def squares(block: Block) -> torch.Tensor:
    """l² of every sample by `torch.logsumexp`, of the samples' shape.

    >>> from xentcli.question.block import Block
    >>> squares(Block(torch.tensor([[0.0, 0.0]]), torch.tensor([0]), None, first_row=0))
    tensor([0.4805])
    """
    return torch.logsumexp(block.logits, block.class_dim).square()


def squares_by_hand(block: Block) -> torch.Tensor:
    """The same with the logits shifted by the greatest: the logarithm of the sum of their exponentials, plus it.

    A row without a finite logit, or with an infinite one, has no such shift, and a loss that is no number anyway.
    """
    greatest = block.logits.amax(block.class_dim, keepdim=True)
    sums = (block.logits - greatest).exp().sum(block.class_dim)
    return (sums.log() + greatest.squeeze(block.class_dim)).square()


def reduced(values: torch.Tensor, counted: torch.Tensor | None, *, mean: bool) -> torch.Tensor:
    """The sum or the mean of the squares of the samples that count, of their shape; None where all do.  []."""
    chosen = values if counted is None or bool(counted.all()) else values[counted]
    return chosen.mean() if mean else chosen.sum()


@dataclass(frozen=True)
class Squared:
    """The two terms of the library's loss before they are added; each of the samples' shape."""

    plain: torch.Tensor  # what F.cross_entropy gives
    squares: torch.Tensor  # l², 0 where a sample does not count

    def part(self, start: int, stop: int) -> Squared:
        """Those of some entries of the first axis; of one sample alone, its own."""
        return Squared(self.plain[start:stop], self.squares[start:stop]) if self.plain.ndim else self

    def here(self) -> Squared:
        """The same in this machine's memory."""
        return Squared(self.plain.cpu(), self.squares.cpu())

    @classmethod
    def joined(cls, parts: Sequence[Squared]) -> Squared:
        """Those of samples that follow one another."""
        return cls(torch.cat([each.plain for each in parts]), torch.cat([each.squares for each in parts]))


@dataclass(frozen=True)
class LogSums:
    """l of the rows, enclosed; all arrays are [rows].

    middle, radius  l lies in middle ± radius
    moved           how far l of the paths' own logits may be from it; 0 where nothing was done to these
    """

    middle: Floats
    radius: Floats
    moved: Floats

    @classmethod
    def of(cls, rows: Rows, logits: Logits) -> LogSums:
        """Of rows whose statistics are these, [rows, classes]."""
        with np.errstate(all="ignore"):
            middle = logits.max(axis=1).astype(np.float64) + rows.log_sum
            radius = (log_sum_error(rows) + UNIT * np.abs(middle)) * OUTWARD + LEAST
        return cls(middle, radius, np.zeros(len(middle)))

    def off_by(self, radius: Floats, moved: Floats) -> LogSums:
        """The same where every logit may be off by `radius`, and the paths' own by `moved`."""
        return LogSums(self.middle, (self.radius + radius) * OUTWARD, moved)

    def added(self, rows: Rows, factor: float) -> Rows:
        """The statistics with Z·l² added to the losses; an unknown one, or one that is no number, stays as it is."""
        with np.errstate(all="ignore"):
            term = factor * (self.middle * self.middle)
            loss = rows.loss + term
            error = factor * self.radius * (2.0 * np.abs(self.middle) + self.radius)
            error = error + rows.radius + UNIT * (3.0 * term + np.abs(loss)) + LEAST * (2.0 + factor)
            radius = error * OUTWARD
        known = np.isfinite(rows.loss) & np.isfinite(rows.radius) & ~rows.ignored
        beyond = known & ~(np.isfinite(loss) & np.isfinite(radius))
        return replace(
            rows,
            loss=np.where(known, np.where(beyond, np.inf, loss), rows.loss),
            radius=np.where(known, np.where(beyond, np.inf, radius), rows.radius),
        )


def with_z_loss(enclosing: Enclosing, transform: Transform | None, factor: float) -> Enclosing:
    """What encloses the loss of a row with Z·l² added, given what encloses it without.

    The ends are 2^-bits of the sum apart, unless it is so small that some doublings of the precision do not get there.
    """

    def enclosed(
        logits: Sequence[float], coefficients: Coefficients, bits: int, backend: Backend | None = None
    ) -> Interval:
        lower, upper = Fraction(0), Fraction(0)
        for width in (bits + SPARE << attempt for attempt in range(ATTEMPTS)):
            loss = enclosing(logits, coefficients, width, backend)
            squared = _square(*_log_sum(transform, logits, width, backend))
            lower, upper = (own + Fraction(factor) * square for own, square in zip(loss, squared, strict=True))
            if (upper - lower) * 2**bits <= max(lower, -upper):
                break
        return lower, upper

    return enclosed


def _log_sum(transform: Transform | None, logits: Sequence[float], width: int, backend: Backend | None) -> Interval:
    """l of a row, whose transformed logits are known to 2^(1 − width)."""
    numbers = logits if transform is None else list(map(nearby(transform, width), logits))
    top = max(range(len(numbers)), key=numbers.__getitem__)
    lower, upper = enclose_exactly(numbers, {top: Fraction(1)}, width, backend)
    greatest, slack = Fraction(numbers[top]), Fraction(0 if transform is None else 2, 1 << width)
    return greatest + lower - slack, greatest + upper + slack


def _square(lower: Fraction, upper: Fraction) -> Interval:
    ends = lower * lower, upper * upper
    return Fraction(0) if lower < 0 < upper else min(ends), max(ends)
