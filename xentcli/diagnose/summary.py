"""The verdict on the loss in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.records.report import is_at_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.diagnose.verdict import Judged
    from xentcli.records.report import PathResult, Status

FAULTS: dict[Status, str] = {
    "underflow": "underflows",
    "overflow": "overflows",
    "nan": "is NaN",
    "wrong": "is wrong",
}


STREAMED: dict[
    tuple[str, ...], str
] = {  # the paths whose totals are exact sums -> what that means for whoever runs torch
    ("library",): "library's total is an exact sum: F.cross_entropy itself may print another number",
    ("manual",): "manual's total is an exact sum: torch.sum itself may print another number",
    ("library", "manual"): "both totals are exact sums: F.cross_entropy itself may print another number",
}


def summarize(judged: Judged, *, quantised: bool = False) -> str:
    """What the verdict is about and why it is what it is, and whether torch would print what is printed here.

    quantised  the true loss is that of logits that the file holds in 16 bits
    """
    streamed = tuple(name for name, path, _ in judged.paths if path.streamed)
    return "; ".join(filter(None, (_answer(judged, quantised=quantised), STREAMED.get(streamed))))


def _answer(judged: Judged, *, quantised: bool) -> str:
    if not judged.measured.counted:
        return "no sample counts, so nothing was checked"
    if judged.verdict.losses.reference is None:
        return _paths_alone(judged)
    odd = [_fault(name, path, judged) for name, path, _ in judged.paths if path.status != "within"]
    right = [name for name, path, _ in judged.paths if path.status == "within"]
    if any(is_at_fault(name, path.status) for name, path, _ in judged.paths):
        return "; ".join([*odd, *(f"{name} is right" for name in right)])
    if not _is_enclosed(judged):
        return _cut_off(judged)
    if judged.verdict.judgement == "undecided":
        return _undecided(judged)
    rounding = "rounding and what 16 bits moved" if quantised else "rounding"
    limit = "the given tolerance" if judged.question.policy.tolerance else rounding
    return "; ".join([f"{who(right)} within {limit} of {_what(judged)}", *odd])


def _undecided(judged: Judged) -> str:
    """Why nothing is proven of a number that nothing is held against."""
    if judged.question.policy.tolerance:
        return "the tolerance is finer than what is known of the true value; try --reference exact"
    reduction, truth = judged.question.reduction, judged.verdict.truth
    moved = "losses" if reduction == "none" else reduction
    known = "" if truth is None or judged.question.policy.expect else f"; the true {reduction} is {truth.digits(8)}"
    return f"library cannot be judged: rounding in {judged.precision.name} may move its {moved} by any amount{known}"


def who(right: Sequence[str]) -> str:
    """The paths that are right, with their verb."""
    return f"{' and '.join(right)} {'are' if len(right) > 1 else 'is'}"


def _paths_alone(judged: Judged) -> str:
    discrepancy = judged.verdict.discrepancy
    apart = f"library and manual are {discrepancy.absolute:.3g} apart" if discrepancy.absolute is not None else ""
    return f"{apart}, {discrepancy.allowed:.3g} allowed; which is right was not asked"


def _is_enclosed(judged: Judged) -> bool:
    """Whether both ends of the total are known, or without a reduction those of every loss."""
    truth, facts = judged.verdict.truth, judged.measured.truth
    return facts is None or facts.is_closed if truth is None else truth.is_enclosed


def _cut_off(judged: Judged) -> str:
    """What is known of a loss that 16 bits did not hold."""
    truth, reference = judged.verdict.truth, judged.verdict.losses.reference
    if judged.question.reduction == "none":
        return "not every row's true loss is enclosed: 16 bits cut off a probability that it needs"
    if truth is None or reference is None or truth.is_open[0]:
        return f"nothing is known of the true {judged.question.reduction}: 16 bits did not hold all that it needs"
    rows = judged.rows(judged.measured.truth.unbounded if judged.measured.truth else 0)
    least = f"the true {judged.question.reduction} is at least {reference.lower:.8g}"
    return f"{least}: in {rows} the label's probability was cut off when it was stored"


def _fault(name: str, path: PathResult, judged: Judged) -> str:
    status = path.status or "wrong"
    count = path.rows.get(status, 0)
    return f"{name} {FAULTS[status]}" + (f" in {judged.rows(count)}" if count else f" as a {judged.question.reduction}")


def _what(judged: Judged) -> str:
    if judged.question.policy.expect is not None:
        return "it"  # the sentence on the claim has named the true value
    if judged.question.reduction == "none":
        return f"the true loss in all {judged.measured.counted:,} rows that count"
    truth = judged.verdict.truth
    return f"the true {judged.question.reduction}{f' {truth.digits(8)}' if truth else ''}"
