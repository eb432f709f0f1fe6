"""What the 16 bits of a base file, and the cut at 16 nats, moved of the statistics that llama-perplexity prints.

A statistic here is that of the logits before they were stored, over all classes.  It is an interval where only the
16 bits are known, and a number but for float64's rounding where the float32 logits are.

    log p of a class   within an error of the stored one; a class at the floor of a row that spans 16 may be any lower
    −log p of labels   the same, at least 0
    KLD of a row       Σ f(p, q), f(p, q) = p·log(p/q) − p + q: the same as Σ p·log(p/q), as both add up to 1, though no
                       term is negative, and where p and q are near it is as small as the square of their distance.
                       f is convex with its least, 0, at p = q; it grows with the distance of p from q, whichever of
                       the two moves.  So over p in [p₁, p₂] and q in [q₁, q₂] the greatest is f(p₁, q₂) or f(p₂, q₁),
                       and the least is 0 where the intervals meet, and else that of the two where they are nearest
    same top           certain where the greatest number stored is that of one class: what is stored grows with the
                       logit, so a class that is stored lower was lower.  Open where several are stored as the greatest
    totals             means and order statistics grow with each row's number, so each end is that of the rows' ends
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from decimal import ROUND_UP, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.llamacpp import KLD_RANKS, RANKS, TILE
from xentcli.sources.readers.llamacpp import Sixteen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xentcli.comparing.llamacpp import Line
    from xentcli.numbers.arrays import Values

    Interval = tuple[float, float]

UNIT = 2.0**-52
NORMAL = 2.0**-126  # the smallest scale whose inverse llama.cpp multiplies with is finite above
KERNEL = 800  # units that exp, its argument and the logarithm may lose, for arguments above −746
ROUNDING = 2.0**-40  # of each class's term, relative to p·(1 + |log p − log q|) + q; more than 746 units for each step
OUTWARD = 2.0**-48  # more than a mean, an exp and a product of it lose
UPWARDS = Context(prec=2, rounding=ROUND_UP)


@dataclass(frozen=True, eq=False)
class Side:
    """What is known of the log-probabilities of one side."""

    logs: Values  # float64 [rows, classes]
    error: Values  # float64 [rows, 1]: how far each may be from the one before
    is_open: Values  # bool [rows, classes]: may be any lower
    may_be_top: Values  # bool [rows, classes]


def stored(rows: Sixteen) -> Side:
    """What 16 bits tell."""
    greatest = rows.steps.max(axis=1, keepdims=True)
    return Side(rows.exact, rows.error, rows.is_cut, (rows.steps == greatest) | (rows.scale < NORMAL))


def known(logits: Values) -> Side:
    """What logits in float32 or float64 tell; [rows, classes].

    The log-sum adds up C exps in float64, each off by its argument's rounding and its own: C + 800 units cover both, as
    the sum is at least 1.  Each log-probability is off by that, and by the roundings of numbers no greater than the
    row's span and the log-sum.
    """
    wide = logits.astype(np.float64)
    gaps = wide - wide.max(axis=1, keepdims=True)
    logs = gaps - np.log(np.exp(gaps).sum(axis=1, keepdims=True))
    span = np.where(np.isfinite(logs), -logs, 0.0).max(axis=1, keepdims=True)
    error = UNIT * (logits.shape[1] + KERNEL + 8 * span)
    is_top = np.arange(logits.shape[1]) == wide.argmax(axis=1)[:, None]
    return Side(logs, error, np.zeros(logits.shape, bool), is_top)


@dataclass(frozen=True, eq=False)
class Ends:
    """Between what a row's numbers are, float64 [2, rows]; shares are of 1."""

    nll_other: Values
    nll_base: Values
    kld: Values
    delta_p: Values
    same_top: Values

    @property
    def under_floor(self) -> Values:
        """Rows whose label the base file has under its floor: of their loss it tells the lower end alone."""
        return np.flatnonzero(np.isinf(self.nll_base[1]))


def joined(parts: Iterable[Ends]) -> Ends:
    """The rows of blocks, in order."""
    columns = zip(*([getattr(part, field.name) for field in fields(Ends)] for part in parts), strict=True)
    return Ends(*(np.concatenate(column, axis=1) for column in columns))


def ends(base: Sixteen | Values, other: Sixteen | Values, labels: Values) -> Ends:
    """Of a block of rows; each side is what a base file holds or logits, and the labels are [rows]."""
    classes = (base.steps if isinstance(base, Sixteen) else base).shape[1]
    height = max(1, TILE // classes)
    tiles = [slice(at, at + height) for at in range(0, len(labels), height)]
    with np.errstate(all="ignore"):
        return joined(_ends(_side(base, tile), _side(other, tile), labels[tile]) for tile in tiles)


def _side(rows: Sixteen | Values, tile: slice) -> Side:
    return stored(rows.part(tile)) if isinstance(rows, Sixteen) else known(rows[tile])


def _ends(base: Side, other: Side, labels: Values) -> Ends:
    nll_base, nll_other = _nll(base, labels), _nll(other, labels)
    p, q = np.exp(-nll_base), np.exp(-nll_other)  # [upper, lower]
    delta = np.stack([q[1] - p[0] - OUTWARD, q[0] - p[1] + OUTWARD])
    one, two = base.may_be_top, other.may_be_top
    same = np.stack([(one | two).sum(axis=1) == 1, (one & two).any(axis=1)]).astype(np.float64)
    return Ends(nll_other, nll_base, _kld(base, other), np.clip(delta, -1.0, 1.0), same)


def _nll(side: Side, labels: Values) -> Values:
    loss = -np.take_along_axis(side.logs, labels[:, None], axis=1)
    is_open = np.take_along_axis(side.is_open, labels[:, None], axis=1)
    greatest = np.where(is_open, np.inf, loss + side.error)
    return np.stack([np.maximum(loss - side.error, 0.0)[:, 0], greatest[:, 0]])


def _kld(base: Side, other: Side) -> Values:
    """Both ends of Σ f(p, q), less and more what float64 loses of it."""
    gap, error = base.logs - other.logs, base.error + other.error  # log p − log q
    p, q = np.exp(base.logs), np.exp(other.logs)
    least_p, least_q = p * np.exp(-base.error), q * np.exp(-other.error)
    most_p, most_q = p * np.exp(base.error), q * np.exp(other.error)
    below, above = gap - error, gap + error  # log(p₁/q₂), log(p₂/q₁)
    least_p[base.is_open] = least_q[other.is_open] = 0.0
    below[base.is_open], above[other.is_open] = -np.inf, np.inf
    under, over = _term(least_p, below, most_q), _term(most_p, above, least_q)
    least = np.where(below > 0, under, 0.0) + np.where(above < 0, over, 0.0)
    farthest = np.max(abs(gap), axis=1, where=(most_p > 0) & np.isfinite(gap), initial=0.0) + error[:, 0]
    lost = ROUNDING * (1 + farthest) * (most_p.sum(axis=1) + most_q.sum(axis=1))
    adding = 1 + UNIT * p.shape[1]
    most = np.maximum(under, over).sum(axis=1)
    return np.stack([np.maximum(least.sum(axis=1) / adding - lost, 0.0), most * adding + lost])


def _term(p: Values, ratio: Values, q: Values) -> Values:
    """f(p, q) of p, log(p/q) and q."""
    term: Values = p * ratio
    term[p == 0] = 0.0
    term -= p
    term += q
    return term


def intervals(found: Ends) -> dict[str, Interval]:
    """Between what each line's value would be, in the line's unit, by the line's name; the correlation is left out."""
    low_q, high_q = _mean(found.nll_other)
    low_p, high_p = _mean(found.nll_base)
    ratio = _mean(np.stack([found.nll_other[0] - found.nll_base[1], found.nll_other[1] - found.nll_base[0]]))
    size = np.stack([np.maximum(np.maximum(found.delta_p[0], -found.delta_p[1]), 0.0), abs(found.delta_p).max(axis=0)])
    ppl_q, ppl_p = _outward(_exp(low_q), _exp(high_q)), _outward(_exp(low_p), _exp(high_p))
    percents = 100 * found.delta_p
    return {
        "ppl_other": ppl_q,
        "ppl_base": ppl_p,
        "mean_ln_ratio": ratio,
        "ppl_ratio": _outward(_exp(ratio[0]), _exp(ratio[1])),
        "ppl_difference": _outward(ppl_q[0] - ppl_p[1], ppl_q[1] - ppl_p[0]),
        "kld_mean": _mean(found.kld),
        **{f"kld_{rank}": _ranked(found.kld, rank) for rank in KLD_RANKS},
        "dp_mean": _mean(percents),
        **{f"dp_{rank}": _ranked(percents, rank) for rank in RANKS},
        "dp_rms": _rms(100 * size),
        "same_top": _mean(100 * found.same_top),
    }


def _mean(pair: Values) -> Interval:
    return _outward(*(math.fsum(end) / len(end) for end in pair))


def _rms(pair: Values) -> Interval:
    low, high = _mean(pair**2)
    return _outward(math.sqrt(max(low, 0.0)), math.sqrt(high))


def _ranked(pair: Values, rank: str) -> Interval:
    """At fraction·(n − 1), which is exact here."""
    position = Fraction(RANKS[rank]).limit_denominator(1000) * (pair.shape[1] - 1)
    below = int(position)
    low, high = (_between(end, below, float(position - below)) for end in np.sort(pair, axis=1))
    return _outward(low, high)


def _between(ordered: Values, below: int, share: float) -> float:
    start, stop = (float(ordered[at]) for at in (below, min(below + 1, len(ordered) - 1)))
    return start if start == stop or not share else start + share * (stop - start)


def _exp(power: float) -> float:
    return float(np.exp(np.float64(power))) if power < 709 else float("inf")


def _outward(low: float, high: float) -> Interval:
    return low - abs(low) * OUTWARD, high + abs(high) * OUTWARD


def moved(line: Line, interval: Interval) -> float:
    """How far at most the line's value is from what it would be of the logits before, over all classes."""
    return max(abs(line.value - interval[0]), abs(interval[1] - line.value))


def statement(mean_kld: Line, interval: Interval, under_floor: int) -> str:
    """What there is to say of a base in 16 bits: how far its mean KLD may have moved, and the labels it lost."""
    most = moved(mean_kld, interval)
    amount = f"at most {UPWARDS.create_decimal(Decimal(most)):g}" if math.isfinite(most) else "an unknown amount"
    labels = f"{under_floor or 'no'} label{'s are' if under_floor > 1 else ' is'} under the floor"
    return f"16-bit base: log p more than 16 under the top is not stored; moves the mean KLD by {amount}; {labels}"
