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
# gate -> what it limits, which statistic must be there for it, and whether the limit is the greatest that is allowed
GATES: dict[str, tuple[Read, str, bool]] = {
    "max-kl": (_ends("kl"), "kl", True),
    "max-kl-99.9": (_percentile, "kl", True),
    "max-ppl-ratio": (_ends("ppl_ratio"), "ppl_ratio", True),
    "min-same-top": (_ends("same_top"), "same_top", False),
}


def gates_of(statistics: dict[str, Statistic], limits: dict[str, float], rows: tuple[int, ...]) -> tuple[Gate, ...]:
    """Each limit that is set, with its verdict; UsageError for one on labels where there are none."""
    return tuple(_gate(name, limit, statistics, rows) for name, limit in limits.items())


def _gate(name: str, limit: float, statistics: dict[str, Statistic], rows: tuple[int, ...]) -> Gate:
    if name == EQUIVALENCE:
        return _equivalence(limit, statistics, rows)
    read, needed, is_greatest = GATES[name]
    if needed not in statistics:
        raise UsageError("without labels there is no perplexity", found=f"--{name}", hint="--labels FILE")
    value, lower, upper = read(statistics)
    return Gate(name, limit, value, lower, upper, _verdict(lower, upper, limit, is_greatest=is_greatest), rows)


def _equivalence(margin: float, statistics: dict[str, Statistic], rows: tuple[int, ...]) -> Gate:
    """Whether the 90 % interval of the losses' mean difference is inside ±margin: two one-sided tests at 5 %."""
    if "loss_difference" not in statistics:
        raise UsageError("without labels there is no loss", found=f"--{EQUIVALENCE}", hint="--labels FILE")
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
