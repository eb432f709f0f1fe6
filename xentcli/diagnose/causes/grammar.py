"""All mistakes there are, and the values that one or two of them make of an input.

A loss is made in three steps: −log p of the labels, then a sum and a division, then a unit.  Each mistake changes one
of them.  So one pass over the blocks gives the sums of every changed −log p, and these the values of all pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from xentcli.diagnose.causes import kindred
from xentcli.diagnose.causes.axes import OverBatch, Transposed, misread_axes
from xentcli.diagnose.causes.binary import one_against_rest
from xentcli.diagnose.causes.chunk import chunks
from xentcli.diagnose.causes.clipping import clipped
from xentcli.diagnose.causes.divisors import by_own_numbers
from xentcli.diagnose.causes.finishing import divided, finished
from xentcli.diagnose.causes.groups import MeansOfMeans
from xentcli.diagnose.causes.labelling import recounted, relabelled
from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.diagnose.causes.overflow import overflowing
from xentcli.diagnose.causes.own_numbers import OwnNumbers
from xentcli.diagnose.causes.rescaling import dropped_classes, rescaled
from xentcli.diagnose.causes.rounding import SixteenBits, cancelled, narrowed
from xentcli.diagnose.causes.setting import Setting
from xentcli.diagnose.causes.smoothing import smoothed
from xentcli.diagnose.causes.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.question.problem import Problem


class Collector(Protocol):
    """A mistake that is more than a sum over samples."""

    def add(self, chunk: Chunk) -> None:
        """Adds some rows."""

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        ...


ROW_MISTAKES = (
    rescaled,
    clipped,
    relabelled,
    recounted,
    misread_axes,
    smoothed,
    cancelled,
    narrowed,
    dropped_classes,
    overflowing,
    one_against_rest,
    kindred.focal,
    kindred.regularised,
    kindred.exponentials,
    kindred.capped,
    kindred.other_targets,
    kindred.weighted_logits,
    kindred.diverging,
)
COLLECTORS = (MeansOfMeans, OwnNumbers, OverBatch, Transposed, SixteenBits, kindred.AllPairs)


def guesses(problem: Problem, reached: Callable[[int], object] | None = None) -> list[Guess]:
    """What every mistake, and every two, would make of this input."""
    with np.errstate(all="ignore"):  # NaN and infinities are values like others here
        setting, right, tally, whole = _collect(problem, reached)
        value = right.reduced(setting)
        late = [Guess((mistake,), other) for mistake, other in divided(right, setting)]
        early = [Guess((mistake,), sums.reduced(setting)) for mistake, sums in tally.items()]
        unit = [Guess((mistake,), other) for mistake, other in finished(value, setting)]
        known = [guess.value for guess in late]
        odd = [Guess((mistake,), other) for mistake, other in by_own_numbers(right, setting, known)]
        both = [
            Guess((mistake, second), other)
            for mistake, sums in tally.items()
            if mistake.rarity == Rarity.COMMON
            for second, other in divided(sums, setting)
            if second.rarity == Rarity.COMMON
        ]
        told = [
            guess.then(mistake, other)
            for guess in (*late, *early, *whole)
            if guess.rarity == Rarity.COMMON
            for mistake, other in finished(guess.value, setting)
            if mistake.rarity == Rarity.COMMON
        ]
    return [*late, *unit, *early, *whole, *odd, *both, *told]


def _collect(
    problem: Problem, reached: Callable[[int], object] | None
) -> tuple[Setting, Sums, dict[Mistake, Sums], list[Guess]]:
    """One pass: the sums of the right losses and of each mistake's, and what takes more than a sum."""
    setting: Setting | None = None
    right, tally = Sums(plain=0.0), dict[Mistake, Sums]()
    collectors: list[Collector] = []
    for block in problem.blocks():
        if setting is None:
            setting = Setting.of(problem, block)
            collectors = [make(setting) for make in COLLECTORS]
        for chunk in chunks(block, setting):
            right += chunk.scored_right()
            for family in ROW_MISTAKES:
                for mistake, sums in family(chunk):
                    tally[mistake] = tally[mistake] + sums if mistake in tally else sums
            for collector in collectors:
                collector.add(chunk)
        if reached:
            reached(block.first_row + block.samples)
    assert setting is not None  # there is at least one block
    return setting, right, tally, [guess for collector in collectors for guess in collector.guesses()]
