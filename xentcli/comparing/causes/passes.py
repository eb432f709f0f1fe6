"""What mistakes make of the logits themselves: one more pass over both sides, for a claim that does not hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.comparing.causes.codes import PAIR_CODES
from xentcli.comparing.causes.known import COLUMNS, finished
from xentcli.comparing.causes.logits import other_logits
from xentcli.comparing.causes.terms import Logs, wrong_terms
from xentcli.comparing.rows import Side
from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.losses.divergence import diverge
from xentcli.losses.truth import terms_of
from xentcli.running.pipeline import in_order, thread_crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.comparing.causes.known import Known
    from xentcli.question.problem import Problem

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Sums = dict[Mistake, float]

ELEMENTS = 1 << 17  # logits of a side that are worked on at once
ONE_WAY = ("kl", "kl_reverse")  # whose sums over the classes people write themselves
ENCLOSED = ("kl", "kl_reverse", "js", "tv", "entropy_base", "entropy_other", "loss_difference", "delta_p",
            "loss_base", "loss_other")  # fmt: skip
ALIGNED = ("kl", "kl_reverse", "js", "tv", "same_top")  # that a shift by a row makes another number of
PERPLEXITIES = ("ppl_base", "ppl_other", "ppl_ratio")
SHIFTS = {"later": (slice(None, -1), slice(1, None)), "earlier": (slice(1, None), slice(None, -1))}


@dataclass(frozen=True)
class Rows:
    """Some rows of both sides that count, in float64."""

    x: Floats
    y: Floats
    labels: Integers

    def part(self, chosen: slice, other: slice | None = None) -> Rows:
        """Some of the base's rows, and the same or others of the other side."""
        return Rows(self.x[chosen], self.y[chosen if other is None else other], self.labels[chosen])

    def joined(self, other: Rows) -> Rows:
        return Rows(
            *(np.concatenate(pair) for pair in zip(self.__dict__.values(), other.__dict__.values(), strict=True))
        )


@dataclass(frozen=True)
class Part:
    """What a block gives: sums over its rows, those of shifted pairs of rows, and the rows at its ends."""

    sums: Sums
    shifted: dict[str, Floats]
    ends: Rows | None  # the first and the last row


@dataclass
class Found:
    """The same of all blocks so far."""

    name: str
    sums: Counter[Mistake] = field(default_factory=Counter)
    shifted: dict[str, list[Floats]] = field(default_factory=lambda: {way: [] for way in SHIFTS})
    first: Rows | None = None
    last: Rows | None = None

    def add(self, part: Part) -> None:
        for mistake, total in part.sums.items():
            self.sums[mistake] += total  # type: ignore[assignment]
        if part.ends is None:
            return
        for way, values in part.shifted.items():
            if self.last is not None:
                self.shifted[way].append(_shifted(self.name, self.last.joined(part.ends.part(slice(0, 1))))[way])
            self.shifted[way].append(values)
        self.first, self.last = self.first or part.ends.part(slice(0, 1)), part.ends.part(slice(-1, None))


def pass_guesses(name: str, known: Known, base: Problem, other: Problem) -> list[Guess]:
    """What every mistake about the logits makes of a statistic, and what another unit or reduction makes of that."""
    if name not in {*ENCLOSED, *PERPLEXITIES, "same_top"}:
        return []
    found = Found(name)
    padding = _padding(_rows(base, other, *next(iter(base.spans()))))
    with thread_crew(torch.get_num_threads()) as crew:
        for part in in_order(crew, (partial(_part, name, base, other, padding, span) for span in base.spans())):
            found.add(part)
    return list(_derived(found, known))


def _derived(found: Found, known: Known) -> Iterator[Guess]:
    early = [*_of_sums(found, known), *_of_shifts(found, known)]
    yield from early
    for guess in early:
        if guess.rarity == Rarity.COMMON:
            for mistake, value in finished(found.name, guess.value, known):
                if mistake.rarity == Rarity.COMMON:
                    yield guess.then(mistake, value)


def _of_sums(found: Found, known: Known) -> Iterator[Guess]:
    with np.errstate(all="ignore"):
        for mistake, total in found.sums.items():
            mean = total / known.rows
            yield Guess((mistake,), float(np.exp(mean)) if found.name in PERPLEXITIES else mean)


def _of_shifts(found: Found, known: Known) -> Iterator[Guess]:
    """Means over all pairs of neighbours, over those of one group, and with the last row and the first for a pair."""
    cause = PAIR_CODES["rows-shifted"]
    if found.first is None or found.last is None or found.name not in ALIGNED or known.rows < 2:
        return
    wrapped = _shifted(found.name, found.last.joined(found.first))
    for way, parts in found.shifted.items():
        values = np.concatenate(parts)  # [rows − 1]
        what = f"the number of each row and the other's next one {'on' if way == 'later' else 'back'}"
        yield Guess((cause.mistake(what),), float(values.mean()))
        around = float((values.sum() + wrapped[way].sum()) / known.rows)
        yield Guess((cause.mistake(f"{what}, the first after the last", Rarity.VARIANT),), around)
        inside = None if known.groups is None else np.diff(known.groups) == 0
        if inside is not None and inside.any():
            yield Guess((cause.mistake(f"{what} of its group", Rarity.VARIANT),), float(values[inside].mean()))


def _part(name: str, base: Problem, other: Problem, padding: int, span: tuple[int, int]) -> Part:
    rows = _rows(base, other, *span)
    sums: Counter[Mistake] = Counter()
    step = max(1, ELEMENTS // rows.x.shape[1])
    for start in range(0, len(rows.x), step):
        for mistake, total in _sums(name, rows.part(slice(start, start + step)), padding):
            sums[mistake] += total  # type: ignore[assignment]
    ends = Rows(rows.x[[0, -1]], rows.y[[0, -1]], rows.labels[[0, -1]]) if len(rows.x) else None
    return Part(dict(sums), _shifted(name, rows), ends)


def _sums(name: str, rows: Rows, padding: int) -> Iterator[tuple[Mistake, float]]:
    if name in ONE_WAY:
        yield from wrong_terms(Logs.of(*((rows.x, rows.y) if name == "kl" else (rows.y, rows.x))))
    with np.errstate(all="ignore"):
        for mistake, (x, y), factor in other_logits(rows.x, rows.y, padding):
            inside = np.minimum(rows.labels, x.shape[1] - 1)
            yield mistake, factor * float(_values(name, Rows(x, y, inside)).sum())


def _shifted(name: str, rows: Rows) -> dict[str, Floats]:
    if name not in ALIGNED:
        return {way: np.zeros(0) for way in SHIFTS}
    return {way: _values(name, rows.part(*pair)) for way, pair in SHIFTS.items()}


def _values(name: str, rows: Rows) -> Floats:
    """A statistic's number of each row."""
    if name == "same_top":
        same: Floats = (rows.x.argmax(axis=1) == rows.y.argmax(axis=1)).astype(np.float64)
        return same
    values: Floats = getattr(diverge(rows.x, rows.y, rows.labels), COLUMNS.get(name, name)).value
    return values


def _rows(base: Problem, other: Problem, start: int, stop: int) -> Rows:
    one, two = (terms_of(Side.read(each, start, stop).block, base.options) for each in (base, other))
    assert one.labels is not None
    counted = one.labels >= 0
    x, y = (np.ascontiguousarray(each.logits[counted], np.float64) for each in (one, two))
    return Rows(x, y, one.labels[counted])


def _padding(rows: Rows) -> int:
    """How many of the last classes are one number in every row of a side."""
    if len(rows.x) < 2:
        return 0
    fixed = (side.min(axis=0) == side.max(axis=0) for side in (rows.x, rows.y))
    return max(int(np.argmin(each[::-1])) if not each.all() else 0 for each in fixed)
