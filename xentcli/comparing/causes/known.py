"""What people make of numbers that the comparison has already: no pass over the logits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.causes.codes import PAIR_CODES
from xentcli.diagnose.causes.mistake import Guess, Rarity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from xentcli.comparing.table import Table
    from xentcli.diagnose.causes.mistake import Mistake
    from xentcli.question.problem import Problem
    from xentcli.records.statistic import Statistic

    Floats = NDArray[np.float64]
    Step = tuple[str, str, float, Rarity]  # a code, the number that comes out, a factor, and how far one looks for it

SWAPPED = {
    "kl": "kl_reverse",
    "loss_base": "loss_other",
    "ppl_base": "ppl_other",
    "entropy_base": "entropy_other",
    "accuracy_base": "accuracy_other",
    "flips_right_wrong": "flips_wrong_right",
}
SWAPPED |= {other: one for one, other in SWAPPED.items()}
SIGNED = ("loss_difference", "log_ppl_ratio", "delta_p", "ppl_difference")
LOSSES = ("loss_base", "loss_other", "loss_difference", "log_ppl_ratio")
DIVERGENCES = ("kl", "kl_reverse", "js", "tv")
ENTROPIES = ("entropy_base", "entropy_other")
MEANS = (*DIVERGENCES, *ENTROPIES, *LOSSES, "delta_p")  # of numbers of rows
NATS = ("kl", "kl_reverse", "js", "kl_cvar95", "kl_cvar99", *ENTROPIES, *LOSSES)
SHARES = ("same_top", "top5_overlap", "top10_overlap", "accuracy_base", "accuracy_other")
PARTS = (*SHARES, "tv", "delta_p", "rms_delta_p", "correlation")  # of 1
ITSELF = {  # what each is of a side and itself
    **dict.fromkeys((*DIVERGENCES, "loss_difference", "log_ppl_ratio", "delta_p", "rms_delta_p"), 0.0),
    **dict.fromkeys(("ppl_ratio", "correlation", "same_top", "top5_overlap", "top10_overlap"), 1.0),
}
COLUMNS = {"log_ppl_ratio": "loss_difference", "ppl_ratio": "loss_difference", "ppl_base": "loss_base",
           "ppl_other": "loss_other"}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A comparison, as far as it was made."""

    statistics: dict[str, Statistic]
    table: Table
    groups: NDArray[np.int64] | None
    classes: int
    ignored: int
    first_axis: int  # entries of it

    @classmethod
    def of(
        cls, statistics: dict[str, Statistic], table: Table, groups: NDArray[np.int64] | None, base: Problem
    ) -> Known:
        """Of a comparison with this base."""
        first = base.sample_shape[0] if len(base.sample_shape) > 1 else 1
        return cls(statistics, table, groups, base.classes, base.samples - len(table), first)

    @property
    def rows(self) -> int:
        return len(self.table)

    def value(self, name: str) -> float:
        return self.statistics[name].value

    def column(self, name: str) -> Floats:
        """The rows of a mean, or of the mean that a perplexity is the exponential of."""
        values: Floats = self.table.column(COLUMNS.get(name, name))
        return values


def told(code: str, what: str, value: float, rarity: Rarity = Rarity.COMMON) -> Guess:
    """What a mistake makes of this input."""
    return Guess((PAIR_CODES[code].mistake(what, rarity),), value)


def guesses(name: str, known: Known) -> Iterator[Guess]:
    """What every mistake of these makes of a statistic."""
    for make in (_exchanged, _by_kind, _estimated, _of_groups, _other):
        yield from make(name, known)
    if name in known.statistics:
        value = known.value(name)
        yield from (Guess((mistake,), number) for mistake, number in finished(name, value, known))


def finished(name: str, value: float, known: Known) -> Iterator[tuple[Mistake, float]]:
    """A number through another reduction, or in another unit."""
    for names, steps in FINISHES:
        if name in names:
            for code, what, factor, rarity in steps(known):
                yield PAIR_CODES[code].mistake(what, rarity), value * factor


def _reduced(known: Known) -> Iterator[Step]:
    """Other divisors of a sum over rows."""
    rows, axis, ignored = known.rows, known.first_axis, known.ignored
    yield "summed-over-rows", f"the sum over {rows:,} rows", rows, Rarity.COMMON
    if 1 < axis < rows:
        what = f"the sum over {rows:,} rows divided by the first axis, {axis:,}"
        yield "divided-by-first-axis", what, rows / axis, Rarity.COMMON
    if ignored:
        what = f"the sum divided by the {ignored:,} ignored rows, too"
        yield "ignored-rows-counted", what, rows / (rows + ignored), Rarity.VARIANT


def _over_classes(known: Known) -> Iterator[Step]:
    what = f"the sum divided by rows × {known.classes:,} classes"
    yield "mean-over-classes", what, 1.0 / known.classes, Rarity.COMMON


# which statistics -> what is done to them
FINISHES: tuple[tuple[tuple[str, ...], Callable[[Known], Iterable[Step]]], ...] = (
    (MEANS, _reduced),
    ((*DIVERGENCES, *ENTROPIES), _over_classes),
    (("tv",), lambda _: [("doubled", "twice it", 2.0, Rarity.COMMON)]),
    (
        (*DIVERGENCES, *ENTROPIES),
        lambda _: [("halved", "half of it", 0.5, Rarity.VARIANT), ("doubled", "twice it", 2.0, Rarity.VARIANT)],
    ),
    (
        NATS,
        lambda _: [
            ("in-bits", "the number in bits", 1.0 / math.log(2.0), Rarity.COMMON),
            ("in-base-ten", "the number with decimal logarithms", 1.0 / math.log(10.0), Rarity.COMMON),
        ],
    ),
    (PARTS, lambda _: [("in-percent", "the number in percent", 100.0, Rarity.COMMON)]),
    ((*MEANS, "correlation"), lambda _: [("negated", "the number with the other sign", -1.0, Rarity.VARIANT)]),
)


def _exchanged(name: str, known: Known) -> Iterator[Guess]:
    """Base and other for each other, or one of them for both."""
    if name in SWAPPED:
        other = SWAPPED[name]
        yield told("sides-swapped", f"{other.replace('_', '-')}: base and other exchanged", known.value(other))
    if name in SIGNED:
        yield told("sides-swapped", "base less other", -known.value(name))
    if name == "ppl_ratio" and known.value(name):
        yield told("sides-swapped", "the base's perplexity over the other's", 1.0 / known.value(name))
    if name in ITSELF:
        yield told("compared-with-itself", "what a side is to itself", ITSELF[name])


def _by_kind(name: str, known: Known) -> Iterator[Guess]:
    """What a number of this kind is taken for."""
    if name in SHARES:
        yield told("complement", "the share of the rows that are not so", 1.0 - known.value(name))
    if name in {"kl", "kl_reverse"}:
        entropy = known.value("entropy_base" if name == "kl" else "entropy_other")
        both = known.value("kl") + known.value("kl_reverse")
        yield told("jensen-shannon-for-kl", "the Jensen-Shannon divergence", known.value("js"))
        yield told("cross-entropy-for-kl", "the cross-entropy of both sides", known.value(name) + entropy)
        yield told("both-directions", "KL in both directions, added up", both)
        yield told("both-directions", "the mean of KL in both directions", 0.5 * both)
    if name == "js":
        yield told("square-root", "the mean of the rows' √JS", float(np.sqrt(known.column("js")).mean()))
        yield told("square-root", "√JS of the mean", math.sqrt(known.value("js")), Rarity.VARIANT)
    if name == "ppl_ratio":
        yield told("ratio-for-difference", "the ratio less 1", known.value(name) - 1.0)
        yield told("ratio-for-difference", "the ratio's logarithm", known.value("log_ppl_ratio"))
        yield told("ratio-for-difference", "the ratio less 1, in percent", 100.0 * (known.value(name) - 1.0))
    if name in {"log_ppl_ratio", "loss_difference"}:
        yield told("ratio-for-difference", "the perplexities' ratio", known.value("ppl_ratio"))
        yield told("ratio-for-difference", "the perplexities' ratio less 1", known.value("ppl_ratio") - 1.0)


def _estimated(name: str, known: Known) -> Iterator[Guess]:
    """Estimates of KL from the labels' probabilities alone."""
    if name not in {"kl", "kl_reverse"} or "loss_difference" not in known.statistics:
        return
    with np.errstate(all="ignore"):
        step = known.column("loss_difference")  # log p_y − log q_y
        for code, values in (
            ("sampled-k1", (step, -step)),
            ("sampled-k2", (0.5 * step**2,)),
            ("sampled-k3", (np.expm1(-step) + step, np.expm1(step) - step)),
        ):
            for rarity, rows in zip((Rarity.COMMON, Rarity.VARIANT), values, strict=False):
                yield told(code, f"the estimator {code[-2:]} of the labels", float(rows.mean()), rarity)


def _of_groups(name: str, known: Known) -> Iterator[Guess]:
    """Means of groups, and of what each group gives."""
    if known.groups is not None and name in MEANS:
        yield told("means-of-groups", "the mean of the groups' means", float(_group_means(name, known).mean()))
    if name in {"ppl_base", "ppl_other", "ppl_ratio"}:
        with np.errstate(all="ignore"):
            if known.groups is not None:
                each = np.exp(_group_means(name, known)).mean()
                yield told("perplexity-by-group", f"the mean over {known.groups.max() + 1:,} groups", float(each))
            rows = float(np.exp(known.column(name)).mean())
            yield told("perplexity-by-group", "the mean over the rows", rows, Rarity.VARIANT)
            if name == "ppl_ratio" and known.groups is not None:
                one, two = (np.exp(_group_means(f"ppl_{side}", known)).mean() for side in ("base", "other"))
                what = "the ratio of the perplexities' means over groups"
                yield told("perplexity-by-group", what, float(two / one))


def _group_means(name: str, known: Known) -> Floats:
    assert known.groups is not None
    means: Floats = np.bincount(known.groups, known.column(name)) / np.bincount(known.groups)
    return means


def _other(name: str, known: Known) -> Iterator[Guess]:
    """Other numbers on the same screen."""
    statistic, _, percentile = name.partition("@")
    own = known.statistics[statistic]
    for rank, each in (own.percentiles or {}).items():
        if rank != percentile:
            called = {"50": "the median", "max": "the maximum", "min": "the minimum"}.get(rank, f"percentile {rank}")
            yield told("other-percentile", f"{called} of the rows", each.value, Rarity.VARIANT)
    for other, each_other in known.statistics.items():
        if other != statistic or percentile:
            what = f"the statistic {other.replace('_', '-')}"
            yield told("other-statistic", what, each_other.value, Rarity.VARIANT)
