"""What 16 bits leave open of the divergences: the stored logits are those before, give or take half a step.

Let p be the softmax of the stored logits of a side, and p' that of the logits before.  Each logit was moved by at most
h, but for the classes that were cut off, which may have been any lower; m is the mass that they have in p.  Then, for
all other classes, |log p' − log p| ≤ η = 2h − log(1 − m), and a class that was cut off has p' ≤ p·e^η.  With
δ = log b − log a:

    KL(a'‖b)   Σ a φ(δ) moves by at most (e^η − 1)·KL + e^η (2η·TV + η² e^η), as φ' = e^δ − 1 and Σ a|e^δ − 1| = 2 TV; a
               class that was cut off had a term between 0 and b + t, t = b − a + a log(a/b) being what it has now
    KL(a‖b')   moves by at most 2η·TV + η² e^η; a class that was cut off may have made it as great as can be
    TV         moves by at most ½ (e^η − 1) + m
    √JS        is a metric, and JS(p, p') ≤ ¼ η² e^η + m·ln 2
    entropy    moves by at most (e^η − 1)·H + η e^η, and the terms of the classes that were cut off
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Logits = NDArray[np.float32] | Floats
    Table = NDArray[Any]

SLACK = 2.0**-30  # relatively, more than float64 loses here


@dataclass(frozen=True)
class Moved:
    """How far the logits of some rows were moved when they were stored; [rows]."""

    half: Floats  # h
    is_cut: Bools  # whether the lowest logits of the row were cut off

    @classmethod
    def nothing(cls, rows: int) -> Moved:
        return cls(np.zeros(rows), np.zeros(rows, bool))

    @classmethod
    def by(cls, half: Floats) -> Moved:
        """By so much, and none cut off."""
        return cls(half, np.zeros(len(half), bool))

    def rows(self, chosen: NDArray[np.int64]) -> Moved:
        return Moved(self.half[chosen], self.is_cut[chosen])


@dataclass(frozen=True)
class _Loose:
    """What is known of one side; [rows]."""

    eta: Floats
    mass: Floats  # m
    terms: Floats  # Σ t of the classes that were cut off, as terms of KL with this side first
    others: Floats  # what mass the other side has there
    entropy: Floats  # Σ p |log p| of them
    is_cut: Bools

    @property
    def apart(self) -> Floats:
        """√JS(p, p') at most."""
        root: Floats = np.sqrt(0.25 * self.eta**2 * np.exp(self.eta) + self.mass * math.log(2.0))
        return root


def widen(table: Table, base: Logits, other: Logits, moved: tuple[Moved, Moved]) -> None:
    """Let the ends in the table hold for the logits before, in place; `base` and `other` are the stored ones."""
    p, q = _log_softmax(base), _log_softmax(other)
    one, two = _loose(base, p, q, moved[0]), _loose(other, q, p, moved[1])
    tv = table["tv_upper"].copy()
    for name, first, second in (("kl", one, two), ("kl_reverse", two, one)):
        _widen_kl(table, name, first, second, tv)
    _add(table, "tv", 0.5 * np.expm1(one.eta) + 0.5 * np.expm1(two.eta) + one.mass + two.mass)
    for name, side in (("entropy_base", one), ("entropy_other", two)):
        high = table[f"{name}_upper"]
        _add(table, name, np.expm1(side.eta) * high + np.exp(side.eta) * (side.eta + side.entropy))
    apart = one.apart + two.apart
    _add(table, "js", 2.0 * np.sqrt(table["js_upper"]) * apart + apart**2)
    table["same"] &= (one.eta == 0.0) & (two.eta == 0.0)


def _widen_kl(table: Table, name: str, first: _Loose, second: _Loose, tv: Floats) -> None:
    low, high = table[f"{name}_lower"], table[f"{name}_upper"]
    growth = np.exp(first.eta + second.eta)
    eta = first.eta + second.eta
    both = (
        np.expm1(first.eta) * np.where(np.isposinf(low), 0.0, high)
        + growth * (2.0 * eta * (tv + eta) + eta**2 * growth)
    ) * (1.0 + SLACK)
    low -= both + (first.terms + second.terms) * (1.0 + SLACK)
    high += both + (first.others + first.terms) * growth * (1.0 + SLACK)
    high[second.is_cut] = np.inf


def _add(table: Table, name: str, radius: Floats) -> None:
    table[f"{name}_lower"] -= radius * (1.0 + SLACK)
    table[f"{name}_upper"] += radius * (1.0 + SLACK)


def _loose(stored: Logits, own: Floats, theirs: Floats, moved: Moved) -> _Loose:
    """Of a side whose logits are stored; `own` and `theirs` are log-probabilities, [rows, classes]."""
    cut = (stored == stored.min(axis=1, keepdims=True)) & moved.is_cut[:, None]
    p, q = np.where(cut, np.exp(own), 0.0), np.where(cut, np.exp(theirs), 0.0)
    with np.errstate(invalid="ignore"):  # classes that a side masks are not cut off
        terms = np.where(cut, q - p + p * (own - theirs), 0.0)
        entropy = np.where(cut, -p * own, 0.0).sum(axis=1)
    mass = p.sum(axis=1)
    return _Loose(
        eta=2.0 * moved.half - np.log1p(-mass),
        mass=mass,
        terms=np.maximum(terms, 0.0).sum(axis=1),
        others=q.sum(axis=1),
        entropy=entropy,
        is_cut=moved.is_cut,
    )


def _log_softmax(logits: Logits) -> Floats:
    gaps = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    logs: Floats = gaps - np.log(np.exp(gaps).sum(axis=1, keepdims=True))
    return logs


def widen_losses(table: Table, side: str, ends: Floats) -> None:
    """The same for the losses, of which the ends before are known; [2, rows], NaN where they are as stored."""
    lower, upper = ends
    known = ~np.isnan(lower)
    table[f"loss_{side}_lower"][known], table[f"loss_{side}_upper"][known] = lower[known], upper[known]
    differ = (
        ("loss_other", "loss_base"),
        ("loss_other_lower", "loss_base_upper"),
        ("loss_other_upper", "loss_base_lower"),
    )
    for end, (high, low) in zip(("", "_lower", "_upper"), differ, strict=True):
        if end:
            table[f"loss_difference{end}"][known] = (table[high] - table[low])[known]
    with np.errstate(under="ignore"):
        other = np.exp(-table["loss_other_upper"]), np.exp(-table["loss_other_lower"])
        base = np.exp(-table["loss_base_upper"]), np.exp(-table["loss_base_lower"])
    table["delta_p_lower"][known] = (other[0] * (1.0 - SLACK) - base[1] * (1.0 + SLACK))[known]
    table["delta_p_upper"][known] = (other[1] * (1.0 + SLACK) - base[0] * (1.0 - SLACK))[known]
