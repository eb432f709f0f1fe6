"""The answer to the question that was asked: the verdict on the loss, the one on a claim, and what else was noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.question.claims import reading, shortened, unexplained
from xentcli.records.report import JUDGEMENTS, warnings
from xentcli.render.wording import implied_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.report import ByteClaim, Cause, Expectation, Finding, Judgement, Report, RowClaims

OF_CLAIM: dict[bool | None, Judgement] = {True: "holds", None: "undecided", False: "fails"}


def answered(report: Report) -> Report:
    """A report on the loss alone, with the claim's part in its verdict and its sentence, and the warnings counted."""
    sentences = [*_sentences(report), *noticed(report.findings)]
    return replace(report, verdict=_verdict(report), summary="; ".join(sentences))


def strictly(report: Report) -> Report:
    """The same answer where a warning counts as a fault."""
    codes = warnings(report.findings)
    if report.verdict != "holds" or not codes:
        return report
    counting = "a warning counts" if len(codes) == 1 else "warnings count"
    return replace(report, verdict="fails", summary=f"{counting} with --strict; {report.summary}")


def noticed(findings: Iterable[Finding]) -> Iterator[str]:
    """How many warnings there are, and which; nothing without any."""
    codes = warnings(findings)
    if codes:
        yield f"{len(codes)} warning{'s' * (len(codes) > 1)}: {', '.join(codes)}"


def _verdict(report: Report) -> Judgement:
    """The gravest of the verdicts on loss and claim; nothing is judged where nothing counts."""
    claims = [each for each in (report.expectation, report.row_claims, report.byte_claim) if each is not None]
    if _is_empty(report):
        return report.verdict
    return max([report.verdict, *(OF_CLAIM[claim.holds] for claim in claims)], key=JUDGEMENTS.index)


def _sentences(report: Report) -> Iterator[str]:
    """The claim first; after one that does not hold only what else is at fault."""
    expectation = report.expectation
    if report.row_claims is not None and not _is_empty(report):
        yield row_claims(report.row_claims)
    if expectation is not None and not _is_empty(report):
        yield from _claim_sentences(report, expectation)
    if report.byte_claim is not None and not _is_empty(report):
        yield byte_claim(report.byte_claim)
    if expectation is None or expectation.holds is not False or report.verdict != "holds":
        yield report.summary


def row_claims(found: RowClaims) -> str:
    """How many claims about rows hold, the worst one that does not, and what gives most of these."""
    rows = f"{found.count:,} claimed loss{'es' * (found.count != 1)}"
    if found.holds:
        return f"{rows} hold{'s' * (found.count == 1)}"
    what = f"{found.wrong:,} of {rows} do{'es' * (found.wrong == 1)} not hold"
    if not found.wrong:
        return f"{found.undecided:,} of {rows} may hold or not"
    worst = found.rows[0]
    told = f"; the worst is row {worst.row:,}, {worst.claimed:.8g} where the true loss is {worst.lower:.8g}"
    if found.cause is None:
        return what + told
    return f"{what}{told}: {found.caused:,} of {found.looked:,} are {_told(found.cause)}"


def byte_claim(found: ByteClaim) -> str:
    """Whether claimed bits per byte hold, and the mistake that gives them, or else the bytes that would."""
    claim = f"the claim {shortened(found.claimed)} bits per byte"
    true = found.true or f"between {found.lower!r} and {found.upper!r}"
    if found.holds is None:
        return f"{claim} may hold or not, the true value is {true}"
    if found.holds:
        return f"{claim} holds{reading(found.claimed)}, the true value is {true}"
    why = f"it is {_told(found.causes[0])}" if found.causes else implied_bytes(found)
    return f"{claim} does not hold{reading(found.claimed)}, the true value is {true}: {why}"


def _claim_sentences(report: Report, expectation: Expectation) -> Iterator[str]:
    claim, truth = f"the claim {shortened(expectation.claimed)}", _truth(report, expectation)
    if expectation.of_library:
        yield f"{claim} is the library's own result"
        yield truth
    elif expectation.holds is None:
        yield f"{claim} may hold or not, {truth}"
    else:
        holds, of_digits = "holds" if expectation.holds else "does not hold", _of_digits(report, expectation)
        yield f"{claim} {holds}{of_digits}{';' if of_digits else ','} {truth}{_why(expectation)}"


def _truth(report: Report, expectation: Expectation) -> str:
    name, reference = f"the true {report.options.reduction}", report.losses.reference
    if expectation.true is None and reference is not None:
        return f"{name} is between {reference.lower!r} and {reference.upper!r}"
    return f"{name} is {expectation.true}"


def _of_digits(report: Report, expectation: Expectation) -> str:
    """What few digits leave open, unless a tolerance decides."""
    decided = report.options.rtol is not None or report.options.atol is not None
    return "" if decided else reading(expectation.claimed)


def _why(expectation: Expectation) -> str:
    """What gives a false claim, as far as that was looked for."""
    if expectation.holds or expectation.causes is None:
        return ""
    if not expectation.causes:
        return f": {unexplained(expectation.claimed)}"
    return f": it is {_told(expectation.causes[0])}"


def _told(cause: Cause) -> str:
    """The mistake and its code, without the number at the end of the statement: the claim is that number."""
    what, _, _ = cause.statement.rpartition(": ")
    return f"{what} ({': '.join([cause.code, *([' + '.join(cause.steps)] if cause.steps else [])])})"


def _is_empty(report: Report) -> bool:
    return report.counts.samples == report.counts.ignored
