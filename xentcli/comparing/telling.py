"""What a comparison says in words."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from xentcli.render.comparison.cells import gate_line
from xentcli.render.comparison.claims import claim_line
from xentcli.render.ends import interval
from xentcli.render.numbers import brief, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.records.breakdown import Floor, Within
    from xentcli.records.comparison import ClaimedStatistic, Counts, Gate, Identity
    from xentcli.records.statistic import Statistic

WITHIN: dict[Within, str] = {"within": "within", "beyond": "beyond", "open": "not told from"}


def judged(claims: Sequence[ClaimedStatistic], gates: Sequence[Gate]) -> list[str]:
    """What makes the verdict: claims that do not hold, limits that are not kept, and then the claims that hold."""
    wrong, right = ([each for each in claims if bool(each.holds) is holds] for holds in (False, True))
    broken = [gate for gate in gates if gate.verdict != "holds"]
    return [*map(claim_line, wrong), *map(gate_line, broken), *map(claim_line, right)]


def beneath(summary: str, floor: Floor | None) -> str:
    """A summary that begins with whether all of it is within the floor, by the mean KL, where there is one."""
    if floor is None:
        return summary
    kl = floor.statistics["kl"].floor
    side = {"file": "", "base": "the base in ", "other": "the other side in "}[floor.of]
    return f"{WITHIN[floor.within]} the floor of {side}{floor.name}, whose KL is {brief(kl.value, 3)}: {summary}"


def summarize(name: str, statistics: dict[str, Statistic], counts: Counts, half: int, identity: Identity) -> str:
    """Same or not, how far, how sure, and where, in one sentence."""
    rows = counts.rows - counts.ignored
    if identity.same_rows == rows:
        return f"{name} gives the same probabilities as the base in all {rows:,} rows, exactly"
    kl = statistics["kl"]
    tail = f", 99.9 % below {brief((kl.percentiles or {})['99.9'].value, 3)}"
    parts = [f"KL {brief(kl.value, 4)}{tail}", f"same top {_percent(statistics['same_top'])}"]
    if "loss_difference" in statistics:
        parts.insert(0, _difference(name, statistics["loss_difference"], counts))
    carried = "carries" if half == 1 else "carry"
    parts.append(f"{plural(half, 'row')} of {rows:,} {carried} half of the KL")
    return "; ".join(parts)


def _difference(name: str, difference: Statistic, counts: Counts) -> str:
    """How many nats a row the other side loses or gains, with the standard error that is quoted."""
    if not (isfinite(difference.lower) and isfinite(difference.upper)):
        return f"{name} loses {interval(difference.lower, difference.upper)} nats a row"
    verb = "loses" if difference.value > 0 else "gains"
    error = difference.se if difference.group_se is None else difference.group_se
    sure = "" if error is None else f" ± {brief(error, 2)}"
    told = [] if difference.p is None else [f"p = {brief(difference.p, 2)}"]
    told += [] if difference.group_se is None else [plural(counts.groups or 0, "group")]
    return f"{name} {verb} {brief(abs(difference.value), 3)}{sure} nats a row{_bracketed(told)}"


def _bracketed(told: list[str]) -> str:
    return f" ({', '.join(told)})" if told else ""


def _percent(share: Statistic) -> str:
    if share.lower == share.upper:
        return f"{100 * share.value:.4g} %"
    return f"{100 * share.lower:.4g} to {100 * share.upper:.4g} % (ties decide)"
