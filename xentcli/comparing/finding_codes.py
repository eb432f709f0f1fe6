"""The findings about two sets of logits, by their codes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PairFinding:
    """What may be said of two sets of logits, by its code."""

    code: str
    definition: str


PAIR_FINDINGS = (
    PairFinding("constant-offset", "Rows of the other side that are the base's plus a constant: no difference."),
    PairFinding("rows-out-of-step", "One side is moved by a row: each row is like the other side's next or last one."),
    PairFinding("labels-out-of-step", "The labels are moved by a row: they fit the neighbours of their rows better."),
    PairFinding("classes-permuted", "The classes of one side stand in another order: equal entropies, other tops."),
    PairFinding("other-temperature", "The other side's logits are the base's times a number: a temperature."),
)
