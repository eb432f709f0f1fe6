"""The report as JUnit XML, which continuous-integration servers collect: a test case for each thing that was judged.

What does not hold is a failure. What could not be decided is an error: skipped tests count as passed, and this did not.
A warning is a skipped test with its message: it is seen, and fails the build only where `--strict` makes it. The name
of all is the verdict's sentence.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from xentcli.records.report import is_at_fault
from xentcli.render.wording import (
    byte_claim,
    byte_claim_details,
    cause_details,
    claim,
    claim_details,
    facts,
    finding_details,
    path_failure,
    paths,
    printable,
    row_claims,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.report import Report
    from xentcli.render.page import Page

Outcome = Literal["passed", "failure", "error", "skipped"]
OF_VERDICT: dict[str, Outcome] = {"holds": "passed", "fails": "failure", "undecided": "error"}
OF_CLAIM: dict[bool | None, Outcome] = {True: "passed", False: "failure", None: "error"}
OF_SEVERITY: dict[str, Outcome] = {"error": "failure", "warning": "skipped"}


@dataclass(frozen=True)
class Case:
    """One test case."""

    name: str
    outcome: Outcome
    message: str
    details: str = ""


def render(report: Report, _page: Page) -> Iterator[str]:
    """One suite, `xent`."""
    cases = _with_verdict(report, list(_cases(printable(report))))
    suites = ElementTree.Element("testsuites", name=printable(verdict(report)))
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "xent", **_counted(cases)})
    for case in cases:
        _add(suite, case)
    ElementTree.indent(suites)
    yield '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _cases(report: Report) -> Iterator[Case]:
    if report.losses.reference:
        yield from _path_cases(report)
    else:
        yield Case("discrepancy", OF_VERDICT[report.verdict], report.summary, _joined(facts(report)))
    if report.row_claims:
        cause = _joined(cause_details(report.row_claims.cause)) if report.row_claims.cause else ""
        yield Case("row-claims", OF_CLAIM[report.row_claims.holds], row_claims(report.row_claims), cause)
    if report.expectation:
        causes = _joined(claim_details(report))
        yield Case("expectation", OF_CLAIM[report.expectation.holds], claim(report), causes)
    if report.byte_claim:
        made = _joined(byte_claim_details(report.byte_claim))
        yield Case("bits-per-byte", OF_CLAIM[report.byte_claim.holds], byte_claim(report.byte_claim), made)
    for finding in report.findings:
        if finding.severity in OF_SEVERITY:
            yield Case(finding.code, OF_SEVERITY[finding.severity], finding.message, _joined(finding_details(finding)))


def _with_verdict(report: Report, cases: list[Case]) -> list[Case]:
    """With a case for a verdict that no other one shows: nothing decided, or warnings that `--strict` counts."""
    outcome = OF_VERDICT[report.verdict]
    open_one = report.losses.reference is not None and report.verdict == "undecided"
    if open_one or outcome not in {"passed", *(case.outcome for case in cases)}:
        return [*cases, Case("verdict", outcome, printable(report.summary))]
    return cases


def _path_cases(report: Report) -> Iterator[Case]:
    for name, result in paths(report):
        odd: Outcome = "failure" if is_at_fault(name, result.status) else "skipped"
        yield Case(name, "passed" if result.status == "within" else odd, path_failure(result, report))


def _joined(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(map(": ".join, entries))


def _counted(cases: list[Case]) -> dict[str, str]:
    outcomes = Counter(case.outcome for case in cases)
    counts = {"tests": len(cases), "failures": outcomes["failure"], "errors": outcomes["error"]}
    return {name: str(count) for name, count in (counts | {"skipped": outcomes["skipped"]}).items()}


def _add(suite: ElementTree.Element, case: Case) -> None:
    element = ElementTree.SubElement(suite, "testcase", classname="xent", name=case.name)
    if case.outcome != "passed":
        ElementTree.SubElement(element, case.outcome, message=case.message).text = case.details or None
