"""The report as JUnit XML, which continuous-integration servers collect: a test case for each thing that was judged.

What does not hold is a failure. What could not be decided is an error: skipped tests count as passed, and this did not.
A warning is a skipped test with its message: it is seen, and fails the build only where `--strict` makes it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from xentcli.render.wording import claim, claim_details, facts, finding_details, path_failure, paths, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.report import Report
    from xentcli.render.page import Page

Outcome = Literal["passed", "failure", "error", "skipped"]
OF_VERDICT: dict[str, Outcome] = {"agrees": "passed", "differs": "failure", "undecided": "error"}
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
    cases = list(_cases(printable(report)))
    suites = ElementTree.Element("testsuites")
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
    if report.losses.reference and report.verdict == "undecided":
        yield Case("verdict", "error", report.summary)
    if report.expectation:
        causes = _joined(claim_details(report))
        yield Case("expectation", OF_CLAIM[report.expectation.holds], claim(report), causes)
    for finding in report.findings:
        if finding.severity in OF_SEVERITY:
            yield Case(finding.code, OF_SEVERITY[finding.severity], finding.message, _joined(finding_details(finding)))


def _path_cases(report: Report) -> Iterator[Case]:
    for name, result in paths(report):
        holds = result.status == "within"
        yield Case(name, "passed" if holds else "failure", path_failure(result, report), report.summary)


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
