"""All mistakes there are, and the values that one or two of them make of an input.

A loss is made in three steps: −log p of the labels, then a sum and a division, then a unit.  Each mistake changes one
of them.  So one pass over the blocks gives the sums of every changed −log p, and these the values of all pairs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from xentcli.diagnose.causes import kindred
from xentcli.diagnose.causes.axes import OverBatch, Transposed, misread_axes
from xentcli.diagnose.causes.binary import one_against_rest
from xentcli.diagnose.causes.chunk import chunks, count_of
from xentcli.diagnose.causes.clipping import clipped
from xentcli.diagnose.causes.divisors import by_own_numbers
from xentcli.diagnose.causes.finishing import divided, finished
from xentcli.diagnose.causes.groups import MeansOfMeans
from xentcli.diagnose.causes.labelling import recounted, relabelled
from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.diagnose.causes.overflow import overflowing
from xentcli.diagnose.causes.own_numbers import OwnNumbers
from xentcli.diagnose.causes.rescaling import CHAINS, dropped_classes, rescaled, tempered, without_bias
from xentcli.diagnose.causes.rounding import HALVES, SixteenBits, cancelled, cast, narrowed
from xentcli.diagnose.causes.sampling import DEVIATIONS, Estimates, every, is_large
from xentcli.diagnose.causes.setting import Setting
from xentcli.diagnose.causes.smoothing import smoothed
from xentcli.diagnose.causes.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.question.problem import Problem

    Ends = tuple[float, float]
    Family = Callable[[Chunk], Iterator[tuple[Mistake, Sums]]]


class Collector(Protocol):
    """A mistake that is more than a sum over samples."""

    def add(self, chunk: Chunk) -> None:
        """Adds some rows."""

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        ...


ROW_MISTAKES = (
    rescaled,
    without_bias,
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
    kindred.other_z_losses,
    kindred.exponentials,
    kindred.other_targets,
    kindred.weighted_logits,
    kindred.diverging,
)
COSTLY: tuple[Family, ...] = (  # more than all others together; each as little as can be computed alone
    *(partial(tempered, chain) for chain in CHAINS),
    *(partial(cast, precision) for precision in HALVES),
    *(partial(kindred.capped, cap) for cap in kindred.SOFTCAPS),
    kindred.miscapped,
    kindred.uncapped,
)
THREADS = 2  # that make sums at a time: more would wait for the collectors, which take the chunks in their order
COLLECTORS = (MeansOfMeans, OwnNumbers, OverBatch, Transposed, SixteenBits, kindred.AllPairs, kindred.OtherZMeans)


def guesses(
    problem: Problem, claimed: Ends | None = None, reached: Callable[[int], object] | None = None
) -> list[Guess]:
    """What every mistake, and every two, would make of this input.

    claimed  between which ends a claim is: of a large input, what is far from it may be an estimate
    """
    with np.errstate(all="ignore"), _one_thread():  # NaN and infinities are values like others here
        found = _collect(problem, claimed is not None, reached)
        if found.estimates is not None and claimed is not None:
            near = _near(found, found.estimates, claimed)
            found = replace(found, tally=found.tally | found.estimated() | _again(problem, near))
        return _derived(found)


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch computes alone: its threads wait for each other longer than such small pieces take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Found:
    """What one pass gives: the sums of the right losses and of each mistake's, and what takes more than a sum."""

    setting: Setting
    right: Sums
    tally: dict[Mistake, Sums]
    whole: list[Guess]
    estimates: Estimates | None  # of what costs much, where that was not computed
    chunks: int

    def estimated(self, deviations: float = 0.0) -> dict[Mistake, Sums]:
        """The sums of what costs much."""
        return {} if self.estimates is None else self.estimates.sums(self.right, self.chunks, deviations)


def _derived(found: Found) -> list[Guess]:
    """The values of the sums, of every two mistakes, and in every unit."""
    setting, right, tally, whole = found.setting, found.right, found.tally, found.whole
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


def _near(found: Found, estimates: Estimates, claimed: Ends) -> set[Mistake]:
    """The mistakes that were estimated, alone or in a pair, to be where the claim is."""
    low, high = (
        _derived(replace(found, tally=found.estimated(deviations), whole=[]))
        for deviations in (-DEVIATIONS, DEVIATIONS)
    )
    return {
        guess.mistakes[0]
        for guess, other in zip(low, high, strict=True)
        if guess.mistakes[0] in estimates.found
        and not (max(guess.value, other.value) < claimed[0] or min(guess.value, other.value) > claimed[1])
    }


def _again(problem: Problem, wanted: set[Mistake]) -> dict[Mistake, Sums]:
    """The sums of these mistakes, by one more pass if there are any."""
    tally = dict[Mistake, Sums]()
    setting: Setting | None = None
    families: list[Family] = []
    for block in problem.blocks() if wanted else ():
        setting = setting or Setting.of(problem, block)
        for chunk in chunks(block, setting):
            families = families or [family for family in COSTLY if not wanted.isdisjoint(dict(family(chunk)))]
            _tally(chunk, families, tally, wanted)
    return tally


def _tally(
    chunk: Chunk, families: Iterable[Family], tally: dict[Mistake, Sums], wanted: set[Mistake] | None = None
) -> None:
    """Adds a chunk's sums of all mistakes of some families, or of these."""
    for family in families:
        for mistake, sums in family(chunk):
            if wanted is None or mistake in wanted:
                tally[mistake] = tally[mistake] + sums if mistake in tally else sums


@dataclass(frozen=True)
class Part:
    """What one chunk gives."""

    chunk: Chunk
    own: Sums
    tally: dict[Mistake, Sums]
    costly: dict[Mistake, Sums]


def _part(chunk: Chunk, is_costly: bool) -> Part:
    """The sums of a chunk, which several threads make at a time."""
    tally, costly = dict[Mistake, Sums](), dict[Mistake, Sums]()
    with np.errstate(all="ignore"):  # each thread has its own
        own = chunk.scored_right()
        _tally(chunk, ROW_MISTAKES, tally)
        _tally(chunk, COSTLY if is_costly else (), costly)
    return Part(chunk, own, tally, costly)


def _parts(problem: Problem, is_claimed: bool, reached: Callable[[int], object] | None) -> Iterator[Part]:
    """The chunks of the input in their order, with their sums."""
    setting: Setting | None = None
    number = count()
    with ThreadPoolExecutor(THREADS, "causes") as executor:
        for block in problem.blocks():
            setting = setting or Setting.of(problem, block)
            apart = every(count_of(setting)) if is_claimed and is_large(setting) else 1
            pieces = chunks(block, setting)
            while some := list(islice(pieces, 2 * THREADS)):
                yield from executor.map(_part, some, [next(number) % apart == 0 for _ in some])
            if reached:
                reached(block.first_row + block.samples)


def _collect(problem: Problem, is_claimed: bool, reached: Callable[[int], object] | None) -> Found:
    """One pass over the input."""
    setting: Setting | None = None
    right, tally, estimates, pieces = Sums(plain=0.0), dict[Mistake, Sums](), Estimates(), 0
    collectors: list[Collector] = []
    for part in _parts(problem, is_claimed, reached):
        if setting is None:
            setting = part.chunk.setting
            collectors = [make(setting) for make in COLLECTORS]
        sampled = is_claimed and is_large(setting)
        right += part.own
        _add(tally, part.tally if sampled else part.tally | part.costly)
        if sampled and part.costly:
            estimates.add(part.own, part.costly)
        for collector in collectors:
            collector.add(part.chunk)
        pieces += 1
    assert setting is not None  # there is at least one block
    whole = [guess for collector in collectors for guess in collector.guesses()]
    return Found(setting, right, tally, whole, estimates if is_claimed and is_large(setting) else None, pieces)


def _add(tally: dict[Mistake, Sums], more: dict[Mistake, Sums]) -> None:
    for mistake, sums in more.items():
        tally[mistake] = tally[mistake] + sums if mistake in tally else sums
