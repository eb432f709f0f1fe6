"""The divergences of a few rows by Arb, from their textbook definitions alone: what enclosures are held against."""

from __future__ import annotations

import math
from fractions import Fraction

from flint import arb, ctx, fmpq

BITS = 400


def divergences(base: list[float], other: list[float], label: int) -> dict[str, arb | float]:
    """Name -> the true value of one row; logits finite or −inf."""
    before, ctx.prec = ctx.prec, BITS
    try:
        return _divergences(base, other, label)
    finally:
        ctx.prec = before


def _divergences(base: list[float], other: list[float], label: int) -> dict[str, arb | float]:
    logs = [_log_softmax(side) for side in (base, other)]
    chances = [[arb(0) if log is None else log.exp() for log in side] for side in logs]
    pairs = list(zip(*logs, *chances, strict=True))
    kl, reverse = _kl(pairs), _kl([(b, a, q, p) for a, b, p, q in pairs])
    js = arb(0)
    for a, b, p, q in pairs:
        if a is not None or b is not None:
            middle = ((p + q) / 2).log()
            js += sum((c * (log - middle) / 2 for log, c in ((a, p), (b, q)) if log is not None), arb(0))
    (one, two), (p, q) = (side[label] for side in logs), (side[label] for side in chances)
    return {
        "kl": kl,
        "kl_reverse": reverse,
        "js": js,
        "tv": sum((abs(p - q) for _, _, p, q in pairs), arb(0)) / 2,
        "entropy_base": -sum((c * log for log, c in zip(logs[0], chances[0], strict=True) if log is not None), arb(0)),
        "entropy_other": -sum((c * log for log, c in zip(logs[1], chances[1], strict=True) if log is not None), arb(0)),
        "loss_base": math.inf if one is None else -one,
        "loss_other": math.inf if two is None else -two,
        "loss_difference": math.nan if one is None or two is None else one - two,
        "delta_p": q - p,
    }


def _kl(pairs: list[tuple[arb | None, arb | None, arb, arb]]) -> arb | float:
    if any(a is not None and b is None for a, b, _, _ in pairs):
        return math.inf
    return sum((p * (a - b) for a, b, p, _ in pairs if a is not None), arb(0))


def _log_softmax(row: list[float]) -> list[arb | None]:
    exact = [None if math.isinf(logit) else arb(fmpq(*Fraction(logit).as_integer_ratio())) for logit in row]
    greatest = max(Fraction(logit) for logit in row if not math.isinf(logit))
    top = arb(fmpq(*greatest.as_integer_ratio()))
    total = sum(((logit - top).exp() for logit in exact if logit is not None), arb(0)).log() + top
    return [None if logit is None else logit - total for logit in exact]
