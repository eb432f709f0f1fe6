"""Whether the losses that somebody claims of rows are right, and the mistake that gives most of the wrong ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.find import find_causes
from xentcli.losses.truth import terms_of
from xentcli.numbers.arrays import from_values
from xentcli.question.claims import Claim
from xentcli.question.problem import Problem
from xentcli.records.report import RowClaim, RowClaims
from xentcli.records.samples import every_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.question import rowclaims as asked
    from xentcli.records.report import Cause, Report

    Floats = NDArray[np.float64]

NAMED = 10  # rows that a report names
LOOKED = 50  # wrong rows for which a mistake is looked for


def judged_rows(report: Report, claims: asked.RowClaims, allowed: Floats, problem: Problem) -> Report:
    """The report with what becomes of the claims; `allowed` is what rounding allows the library's loss in each row."""
    rows, values, halves = claims.tables()
    lower, upper = _ends(report, rows)
    reach = halves + allowed[rows]
    with np.errstate(invalid="ignore"):
        nearest = np.maximum(np.maximum(lower - values, values - upper), 0.0)
        farthest = np.maximum(np.abs(values - lower), np.abs(values - upper))
    same = (values == lower) & (values == upper) | np.isnan(values) & np.isnan(lower)
    right = same | (farthest <= reach)
    wrong = ~right & ~(nearest <= reach)  # NaN is not near
    off = np.where(np.isnan(nearest), np.inf, nearest)
    worst = np.flatnonzero(~right)
    worst = worst[np.argsort(-off[worst], kind="stable")]
    named = tuple(
        RowClaim(int(rows[at]), float(values[at]), float(lower[at]), float(upper[at]), None if not wrong[at] else False)
        for at in worst[:NAMED]
    )
    source = "" if claims.array is None else claims.array.path
    found = RowClaims(source, len(rows), int(wrong.sum()), int((~right & ~wrong).sum()), named)
    looked = [at for at in worst if wrong[at]][:LOOKED]
    causes = [
        _cause(problem, int(rows[at]), _text(values[at], halves[at]), (lower[at] + upper[at]) / 2.0) for at in looked
    ]
    return replace(report, row_claims=_with_cause(replace(found, looked=len(looked)), causes))


def _with_cause(found: RowClaims, causes: list[Cause | None]) -> RowClaims:
    """With the cause that fits most rows, where it fits more than one in two of those looked at."""
    counts = Counter(cause.code for cause in causes if cause is not None)
    if not counts:
        return found
    code, count = counts.most_common(1)[0]
    if 2 * count <= len(causes):
        return found
    return replace(
        found, caused=count, cause=next(cause for cause in causes if cause is not None and cause.code == code)
    )


def _ends(report: Report, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Between what the true losses of these rows lie."""
    tables = list(every_sample(report).tables())
    return tuple(np.concatenate([table[end] for table in tables])[rows] for end in ("lower", "upper"))  # type: ignore[return-value]


def _text(value: float, half: float) -> str:
    """The claim in as many digits as it has."""
    if not np.isfinite(value) or not half:
        return repr(float(value))
    return f"{value:.{max(0, int(np.ceil(-np.log10(2.0 * half))))}f}"


def _cause(problem: Problem, row: int, text: str, truth: float) -> Cause | None:
    """What gives this loss instead of the true one, of this sample alone; None where nothing is known to."""
    if not problem.has_labels or problem.options.input != "logits" or problem.options.binary:
        return None
    each = max(1, problem.samples // max(1, problem.sample_shape[0] if problem.sample_shape else 1))
    block = problem.block(row // each, row // each + 1)
    terms = terms_of(block, problem.options)
    assert terms.labels is not None
    own = slice(row % each, row % each + 1)
    if terms.labels[own][0] < 0:
        return None
    logits, labels = (
        from_values(terms.logits[own], problem.logits.path),
        from_values(terms.labels[own], problem.target.path),
    )
    options = replace(
        problem.options,
        class_axis=None,
        reduction="mean",
        dtype=problem.dtype,
        shift=False,
        temperature=None,
        softcap=None,
        head=None,
        bias=None,
    )
    causes = find_causes(Problem(logits, labels, options), Claim.parse(text), truth)
    return causes[0] if causes else None
