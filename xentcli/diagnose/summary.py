"""The verdict in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.diagnose.verdict import Judged
    from xentcli.records.report import PathResult, Status

FAULTS: dict[Status, str] = {
    "underflow": "underflows",
    "overflow": "overflows",
    "nan": "is NaN",
    "wrong": "is wrong",
}


def summarize(judged: Judged) -> str:
    """What the verdict is about and why it is what it is."""
    if not judged.measured.counted:
        return "no sample counts, so nothing was checked"
    if judged.verdict.losses.reference is None:
        return _paths_alone(judged)
    faults = [_fault(name, path, judged) for name, path, _ in judged.paths if path.status != "within"]
    if faults:
        right = [name for name, path, _ in judged.paths if path.status == "within"]
        return "; ".join([*faults, *(f"{name} is right" for name in right)])
    if judged.verdict.truth is not None and not judged.verdict.truth.is_enclosed:
        return _cut_off(judged)
    if judged.verdict.judgement == "undecided":
        return "the tolerance is finer than what is known of the true value; try --reference exact"
    limit = "the given tolerance" if judged.question.policy.tolerance else "rounding"
    return f"library and manual are within {limit} of the true {_what(judged)}"


def _paths_alone(judged: Judged) -> str:
    discrepancy = judged.verdict.discrepancy
    apart = f"library and manual are {discrepancy.absolute:.3g} apart" if discrepancy.absolute is not None else ""
    return f"{apart}, {discrepancy.allowed:.3g} allowed; which is right was not asked"


def _cut_off(judged: Judged) -> str:
    """What is known of a loss that 16 bits did not hold."""
    truth, reference = judged.verdict.truth, judged.verdict.losses.reference
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
    if judged.question.reduction == "none":
        return f"loss in all {judged.measured.counted:,} rows that count"
    truth = judged.verdict.truth
    return judged.question.reduction if truth is None else f"{judged.question.reduction} {truth.digits(8)}"
