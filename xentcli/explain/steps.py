"""The steps of both paths: what they are, why they are there, and their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from xentcli.explain.exact import text
from xentcli.records.explanation import ClassNumber, PathStep, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from xentcli.bounds.model import LossForm, PathModel
    from xentcli.explain.exact import TrueNumbers
    from xentcli.explain.trace import Trace
    from xentcli.explain.ways import Adds, Ways
    from xentcli.numbers.given import Form
    from xentcli.numbers.precision import Precision

Words = tuple[int, str, str, str]  # number, name, formula, why; the four fit 80 columns

SHARED: tuple[Words, ...] = (
    (1, "logits", "x_c", "one number a class, of any size"),
    (2, "shift", "s_c = x_c - max x", "p stays as it is, exp cannot overflow"),
    (3, "exponentials", "e_c = exp(s_c)", "positive for all, 1 for the greatest"),
    (4, "sum", "S = sum of e_c", "the whole, of which e_c is a part"),
)
LABEL = "only the label's probability counts"
COST = "0 if p = 1, endless as p goes to 0"
AS_GIVEN = "as given: nothing is normalised"
PROBABILITIES = (5, "probabilities", "p_c = e_c / S", "parts of the whole: they add up to 1")
LOG_SUM = (5, "log of the sum", "log S", "S is between 1 and C: its log is tame")
LOG_SOFTMAX = (6, "log-softmax", "log p_c = s_c - log S", "log p without p: nothing underflows")

MANUAL_LABEL: tuple[Words, ...] = (
    PROBABILITIES,
    (6, "gather", "p_y", LABEL),
    (7, "-log", "-log p_y", COST),
)
LIBRARY_LABEL: tuple[Words, ...] = (LOG_SUM, LOG_SOFTMAX, (7, "pick", "-log p_y", "the label's, its sign changed"))
WEIGHTED = ("weigh", "w_y * (-log p_y)", "some classes count for more")
SMOOTHED = ("weigh", "sum of a_c * (-log p_c)", "every class counts, by its share a_c")

MANUAL_SHARES: tuple[Words, ...] = (PROBABILITIES, (6, "-log", "-log p_c", "what each class costs as the label"))
LIBRARY_SHARES: tuple[Words, ...] = (LOG_SUM, LOG_SOFTMAX)
SHARES = ("weigh", "sum of q_c * (-log p_c)", "every class counts, by its share q_c")


@dataclass(frozen=True)
class Course:
    """The steps of both paths from what is given on; the last one, which weighs, comes after them."""

    shared: tuple[Words, ...]
    manual_label: tuple[Words, ...]
    library_label: tuple[Words, ...]
    manual_shares: tuple[Words, ...]
    library_shares: tuple[Words, ...]

    def last(self, words: tuple[str, str, str], *, labels: bool) -> Words:
        """The step that weighs, numbered after all others."""
        paths = (self.manual_label, self.library_label) if labels else (self.manual_shares, self.library_shares)
        return (1 + max(step[0] for path in (self.shared, *paths) for step in path), *words)


OF_LOGARITHMS = (2, "probabilities", "p_c = exp(x_c)", "what x_c is the logarithm of")
LOGARITHM = (2, "log", "log p_c", "nll_loss takes logarithms")
SIGMOIDS = (2, "probabilities", "p = s(-z), s(z)", "sigmoids: s(z) = 1/(1 + exp(-z))")
LOG_SIGMOIDS = (2, "log", "log p = log s(-z), log s(z)", "min(z, 0) - log(1 + exp(-|z|))")
COURSES: dict[Form, Course] = {
    "logits": Course(SHARED, MANUAL_LABEL, LIBRARY_LABEL, MANUAL_SHARES, LIBRARY_SHARES),
    "log-probabilities": Course(
        ((1, "log-probabilities", "x_c = log p_c", AS_GIVEN),),
        (OF_LOGARITHMS, (3, "gather", "p_y", LABEL), (4, "-log", "-log p_y", COST)),
        ((2, "pick", "-x_y", "the label's, its sign changed"),),
        (OF_LOGARITHMS, (3, "-log", "-log p_c", "what each class costs as the label")),
        (),
    ),
    "probabilities": Course(
        ((1, "probabilities", "p_c", AS_GIVEN),),
        ((2, "gather", "p_y", LABEL), (3, "-log", "-log p_y", COST)),
        (LOGARITHM, (3, "pick", "-log p_y", "the label's, its sign changed")),
        ((2, "-log", "-log p_c", "what each class costs as the label"),),
        (LOGARITHM,),
    ),
    "binary": Course(
        ((1, "logits", "x = (0, z)", "one logit a sample, and 0 for class 0"),),
        (SIGMOIDS, (3, "gather", "p_y", LABEL), (4, "-log", "-log p_y", COST)),
        (LOG_SIGMOIDS,),
        (SIGMOIDS, (3, "-log", "-log p_c", "what each class costs as the label")),
        (LOG_SIGMOIDS,),
    ),
}
BINARY = ("weigh", "w_y * (-log p_y)", "library: (1 - y) z - w_y log s(z)")


@dataclass(frozen=True)
class Numbers:
    """What a step computes on one path: a number for each class, or one for all of them."""

    value: Callable[[int], float]
    true: Callable[[int], Decimal]
    precision: Precision
    single: bool = False

    @classmethod
    def of(cls, values: torch.Tensor, true: Callable[[int], Decimal], precision: Precision) -> Numbers:
        """Of [C] values."""
        numbers = values.tolist()
        return cls(numbers.__getitem__, true, precision)

    @classmethod
    def one(cls, value: float, true: Decimal, precision: Precision) -> Numbers:
        return cls(lambda _: value, lambda _: true, precision, single=True)

    def number(self, index: int) -> ClassNumber:
        value, true = self.value(index), self.true(index)
        return ClassNumber(index, value, text(true), in_ulps(value, true, self.precision))


@dataclass(frozen=True, eq=False)
class Lesson:
    """Everything that the steps of a sample are told from."""

    trace: Trace
    true: TrueNumbers
    loss: Decimal  # the true one
    ways: Ways | None  # None where the true loss is not finite, and where no class counts or too many do
    model: PathModel
    form: LossForm
    label: int | None  # None when the target is probabilities, and when it is ignored
    shown: Sequence[int]  # classes

    def steps(self) -> tuple[Step, ...]:
        """In their order: the shared ones, those of the manual path, those of the library, and the last one."""
        manual, library, last = self._words()
        by_hand, by_torch = self._by_hand, self._by_torch
        return (
            *(self._step(words, by_hand, by_torch) for words in self._course.shared),
            *(self._step(words, by_hand, None) for words in manual),
            *(self._step(words, None, by_torch) for words in library),
            *(self._step(words, by_hand, by_torch) for words in last),
        )

    def _words(self) -> tuple[tuple[Words, ...], tuple[Words, ...], tuple[Words, ...]]:
        course = self._course
        if self.form.probabilities:
            changed = self.form.weight is not None or self.form.smoothing > 0.0
            last = course.last(SMOOTHED if changed else SHARES, labels=False)
            return course.manual_shares, course.library_shares, (last,)
        if self.label is None:  # ignored
            probabilities = (words for words in course.manual_shares if words[1] == "probabilities")
            return tuple(probabilities), course.library_shares, ()
        if self.form.binary:
            return course.manual_label, course.library_label, (course.last(BINARY, labels=True),)
        last = course.last(SMOOTHED if self.form.smoothing else WEIGHTED, labels=True)
        return course.manual_label, course.library_label, () if self.form.is_plain else (last,)

    @property
    def _course(self) -> Course:
        return COURSES[self.model.given]

    def _step(self, words: Words, by_hand: _Path | None, by_torch: _Path | None) -> Step:
        name = words[1]
        numbers = next(path.numbers[name] for path in (by_hand, by_torch) if path)
        told = 0 if numbers.single else self.label
        return Step(
            *words,
            true=None if told is None else text(numbers.true(told)),
            manual=by_hand.step(name, told) if by_hand else None,
            library=by_torch.step(name, told) if by_torch else None,
            classes=() if numbers.single or name in COPIES else tuple(map(numbers.number, self.shown)),
        )

    @property
    def _by_hand(self) -> _Path:
        trace, true, storage = self.trace, self.true, self.model.precision
        own = {
            "sum": Numbers.one(trace.total.item(), true.total, self.model.arithmetic),
            "gather": self._probabilities,
            "-log": Numbers.of(-trace.log_of_probabilities, true.minus_log, storage),
            "weigh": Numbers.one(trace.manual, self.loss, storage),
        }
        return _Path(self._shared | own, self.ways.manual() if self.ways else None)

    @property
    def _by_torch(self) -> _Path:
        trace, true, storage = self.trace, self.true, self.model.precision
        kept = storage if self.model.stores_sum else self.model.arithmetic  # what log_softmax keeps its sum in
        own = {
            "sum": Numbers.one(trace.library_total.item(), true.total, kept),
            "log of the sum": Numbers.one(trace.log_total.item(), true.log_sum, kept),
            "log-softmax": Numbers.of(trace.log_probabilities, true.log_probability, storage),
            "log": Numbers.of(trace.log_probabilities, true.log_probability, storage),
            "pick": Numbers.of(-trace.log_probabilities, true.minus_log, storage),
            "weigh": Numbers.one(trace.library, self.loss, storage),
        }
        return _Path(self._shared | own, self.ways.library() if self.ways else None)

    @property
    def _shared(self) -> dict[str, Numbers]:
        trace, true, arithmetic = self.trace, self.true, self.model.arithmetic
        return {
            "logits": Numbers.of(trace.logits, true.logit, self.model.precision),
            "log-probabilities": Numbers.of(trace.logits, true.logit, self.model.precision),
            "probabilities": self._probabilities,
            "shift": Numbers.of(trace.shifts, true.shift, arithmetic),
            "exponentials": Numbers.of(trace.exponentials, true.exponential, arithmetic),
        }

    @property
    def _probabilities(self) -> Numbers:
        return Numbers.of(self.trace.probabilities, self.true.probability, self.model.precision)


@dataclass(frozen=True)
class _Path:
    """One path's numbers, by the name of the step, and what their rounding adds to its loss."""

    numbers: Mapping[str, Numbers]
    adds: Adds | None

    def step(self, name: str, told: int | None) -> PathStep:
        """What the step gives the path; `told` is the class whose number it is."""
        added = math.nan if self.adds is None else self.adds.get(name, 0.0)  # what is not followed is copied
        adds = None if math.isnan(added) else added
        if told is None:
            return PathStep(None, None, adds)
        number = self.numbers[name].number(told)
        return PathStep(number.value, number.ulp, adds)


COPIES = {"gather", "pick"}  # the numbers of the step before


def in_ulps(value: float, true: Decimal, precision: Precision) -> float | None:
    """|value − true| in units of the last place of the true number; None where either is NaN or one is infinite."""
    if not (math.isfinite(value) and true.is_finite()):
        return 0.0 if Decimal(value) == true else None
    size = float(true)
    return float(abs(Decimal(value) - true) / Decimal(precision.ulp(size)))
