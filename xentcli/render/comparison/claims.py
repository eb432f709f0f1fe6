"""What becomes of claims about the statistics of a comparison, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.question.claims import reading, shortened, unexplained
from xentcli.records.report import JUDGEMENTS
from xentcli.render.wording import cause_details

if TYPE_CHECKING:
    from xentcli.records.comparison import ClaimedStatistic, Compared
    from xentcli.render.wording import Entry

NOT_LOOKED_FOR = "not looked for, as that takes the inputs: see xent compare --expect"


def verdict(one: Compared) -> str:
    """On the limits and claims; without any, that it was computed."""
    nothing = "undecided" if not one.statistics else "computed"
    return max(one.verdicts, key=JUDGEMENTS.index, default=nothing)


def claim_line(claimed: ClaimedStatistic) -> str:
    """Whether a claim holds, the true value, and what gives a claim that does not hold."""
    claim = f"the claim {shown_name(claimed)} {shortened(claimed.claimed)}"
    if claimed.holds is None:
        return f"{claim} may hold or not, {_true(claimed)}"
    of_digits = reading(claimed.claimed)
    verb = "holds" if claimed.holds else "does not hold"
    return f"{claim} {verb}{of_digits}{';' if of_digits else ','} {_true(claimed)}{_why(claimed)}"


def claim_details(claimed: ClaimedStatistic) -> list[Entry]:
    """The mistakes that give a claim that does not hold, with what mends them."""
    if claimed.holds is not False:
        return []
    if claimed.causes is None:
        return [("cause", NOT_LOOKED_FOR)]
    if not claimed.causes:
        return [("cause", unexplained(claimed.claimed, "this number"))]
    return [entry for cause in claimed.causes for entry in cause_details(cause)]


def shown_name(claimed: ClaimedStatistic) -> str:
    """The statistic as people type it."""
    return claimed.name.replace("_", "-")


def _true(claimed: ClaimedStatistic) -> str:
    if claimed.true is None:
        return f"the true one is between {claimed.lower!r} and {claimed.upper!r}"
    return f"the true one is {claimed.true}"


def _why(claimed: ClaimedStatistic) -> str:
    if claimed.holds or claimed.causes is None:
        return ""
    if not claimed.causes:
        return f": {unexplained(claimed.claimed)}"
    first = claimed.causes[0]
    steps = f": {' + '.join(first.steps)}" if first.steps else ""
    return f": it is {first.statement.rpartition(': ')[0]} ({first.code}{steps})"
