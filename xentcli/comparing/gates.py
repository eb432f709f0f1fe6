"""Limits that a comparison must keep, each tested on the safe side of what is proven."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.errors import UsageError
from xentcli.records.comparison import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.records.report import Judgement
    from xentcli.records.statistic import Statistic

    Ends = tuple[float, float, float]
    Read = Callable[[dict[str, Statistic]], Ends]


def _ends(name: str) -> Read:
    return lambda statistics: (statistics[name].value, statistics[name].lower, statistics[name].upper)


def _percentile(statistics: dict[str, Statistic]) -> Ends:
    found = (statistics["kl"].percentiles or {})["99.9"]
    return found.value, found.lower, found.upper


EQUIVALENCE = "equivalence"
# gate -> what it limits, and whether the limit is the greatest that is allowed
GATES: dict[str, tuple[Read, bool]] = {
    "max-kl": (_ends("kl"), True),
    "max-kl-99.9": (_percentile, True),
    "max-ppl-ratio": (_ends("ppl_ratio"), True),
    "min-same-top": (_ends("same_top"), False),
}
OF_LABELS = {"max-ppl-ratio": "perplexity", EQUIVALENCE: "loss"}  # gate -> what there is with labels alone


def check_limits(limits: dict[str, float], *, labelled: bool) -> None:
    """UsageError for a limit on labels where there are none, before anything is computed."""
    for name, what in OF_LABELS.items():
        if name in limits and not labelled:
            raise UsageError(f"without labels there is no {what}", found=f"--{name}", hint="--labels FILE")


def gates_of(statistics: dict[str, Statistic], limits: dict[str, float], rows: tuple[int, ...]) -> tuple[Gate, ...]:
    """Each limit that is set, with its verdict; they must be checked."""
    return tuple(_gate(name, limit, statistics, rows) for name, limit in limits.items())


def _gate(name: str, limit: float, statistics: dict[str, Statistic], rows: tuple[int, ...]) -> Gate:
    if name == EQUIVALENCE:
        return _equivalence(limit, statistics, rows)
    read, is_greatest = GATES[name]
    value, lower, upper = read(statistics)
    return Gate(name, limit, value, lower, upper, _verdict(lower, upper, limit, is_greatest=is_greatest), rows)


def _equivalence(margin: float, statistics: dict[str, Statistic], rows: tuple[int, ...]) -> Gate:
    """Whether the 90 % interval of the losses' mean difference is inside ±margin: two one-sided tests at 5 %."""
    found = statistics["loss_difference"]
    lower, upper = found.interval90 or (-math.inf, math.inf)
    shown = (
        -margin < lower + min(0.0, found.lower - found.value) and upper + max(0.0, found.upper - found.value) < margin
    )
    return Gate(EQUIVALENCE, margin, found.value, lower, upper, "holds" if shown else "fails", rows)


def _verdict(lower: float, upper: float, limit: float, *, is_greatest: bool) -> Judgement:
    if math.isnan(lower) or math.isnan(upper):
        return "undecided"
    kept, broken = (upper <= limit, lower > limit) if is_greatest else (lower >= limit, upper < limit)
    return "holds" if kept else "fails" if broken else "undecided"
