"""A mistake about two sets of logits, shown on an example with numbers computed on the spot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from xentcli.comparing.causes.codes import PAIR_CODES
from xentcli.comparing.causes.find import Search
from xentcli.comparing.causes.known import Known
from xentcli.comparing.claims import NamedClaim, held
from xentcli.comparing.problem import Pairing
from xentcli.comparing.rows import Side, table_of
from xentcli.comparing.statistics import statistics_of
from xentcli.comparing.table import Table
from xentcli.diagnose.code import scattered
from xentcli.errors import XentError
from xentcli.question.problem import Options
from xentcli.sources.memory import from_memory

if TYPE_CHECKING:
    from xentcli.comparing.causes.codes import PairCause
    from xentcli.records.comparison import ClaimedStatistic
    from xentcli.records.report import Cause

SEQUENCES, POSITIONS, CLASSES, RARE, PADDING = 4, 3, 4, 2, 1
DIGITS = 9  # a claim is printed in
IGNORED = -100


@dataclass(frozen=True)
class Shown:
    """A mistake, the wrong number that it makes of the example, and what is said of that."""

    code: PairCause
    claimed: ClaimedStatistic
    said: Cause


def example() -> tuple[list[Any], list[Any], list[list[int]]]:
    """Logits of both sides [sequences, positions, classes] and labels: rare classes, one of padding, an ignored row."""
    rows = SEQUENCES * POSITIONS
    base, moved, rare = scattered(rows, CLASSES), scattered(rows, CLASSES, 1.3)[::-1], scattered(rows, RARE, 1.0)
    one = [[*row, *(far - 16.0 for far in tail), *[0.0] * PADDING] for row, tail in zip(base, rare, strict=True)]
    two = [
        [
            *(value + step for value, step in zip(row, steps, strict=True)),
            *(far - 9.0 for far in tail),
            *[0.0] * PADDING,
        ]
        for row, steps, tail in zip(base, moved, rare, strict=True)
    ]
    labels = [[(row * 5 + position * 3) % CLASSES for position in range(POSITIONS)] for row in range(SEQUENCES)]
    labels[-1][-1] = IGNORED
    return _sequences(one), _sequences(two), labels


def _sequences(rows: list[list[float]]) -> list[list[list[float]]]:
    return [rows[start : start + POSITIONS] for start in range(0, len(rows), POSITIONS)]


def show(code: str) -> Shown:
    """The example of a code, compared with the number that it gives; an XentError if it is not named, our bug."""
    cause, search = PAIR_CODES[code], _search()
    tried = search.guesses(cause.claimed)
    for value in (guess.value for guess in tried if guess.code == code and math.isfinite(guess.value)):
        claim = NamedClaim.of(cause.claimed, f"{value:#.{DIGITS}g}".rstrip("."))
        claimed = held(claim, search.known.statistics, search.causes)
        for said in claimed.causes or ():
            if said.code == code:
                return Shown(cause, claimed, said)
    raise XentError(f"the example of {code} does not show it")


@cache
def _search() -> Search:
    """The example, compared."""
    base, other, labels = (from_memory(value, "example") for value in example())
    pairing = Pairing.of(base, labels, [other], Options(class_axis=-1))
    sides = pairing.base, pairing.others[0]
    one, two = (Side.read(side, 0, SEQUENCES) for side in sides)
    table = Table((table_of(one, two, pairing.base.options),))
    groups = table.column("row") // POSITIONS
    statistics = statistics_of(table, groups, labelled=True)
    return Search(Known.of(statistics, table, groups, pairing.base), sides)
