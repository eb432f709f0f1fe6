"""What a code stands for, and what the tiny inputs that show it are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Call = dict[str, Any]  # the arguments of `xentcli.compute`

SIGNS = 0.6180339887498949  # its multiples fill an interval evenly: numbers that look random and are the same anywhere


@dataclass(frozen=True)
class Code:
    """One thing that xent may say of an input or of a claim.

    code        as the report has it
    kind        a cause explains a claim that does not hold; a finding is about the input or the numbers
    definition  one sentence
    example     an input on which it is found; of a cause, on which the mistake changes the number
    formula     what a cause computes instead
    source      where somebody met it, an address
    """

    code: str
    kind: Literal["cause", "finding"]
    definition: str
    example: Call
    formula: str = ""
    source: str = ""


def scattered(rows: int, classes: int, scale: float = 4.0) -> list[list[float]]:
    """Logits without a pattern, of three decimals, the same on every machine; [rows, classes]."""
    numbers = ((row * classes + index + 1) * SIGNS for row in range(rows) for index in range(classes))
    values = [round(scale * (math.modf(number)[0] - 0.5), 3) for number in numbers]
    return [values[start : start + classes] for start in range(0, rows * classes, classes)]


def favouring(labels: list[int], classes: int, by: float = 4.0) -> list[list[float]]:
    """Logits of a model that has learned these labels."""
    pairs = zip(scattered(len(labels), classes, 1.0), labels, strict=True)
    return [[value + by * (index == label) for index, value in enumerate(row)] for row, label in pairs]


def softmax(rows: list[list[float]]) -> list[list[float]]:
    """The probabilities of logits, of five decimals that add up to 1 but for rounding."""
    powers = [[math.exp(value) for value in row] for row in rows]
    return [[round(power / sum(row), 5) for power in row] for row in powers]
