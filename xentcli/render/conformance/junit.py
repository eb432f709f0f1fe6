"""The report as JUnit XML: a suite an implementation, a test case a case."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from xentcli.render.conformance.grids import case_message, fault_of
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from xentcli.records.conformance import CaseResult, ConformanceReport, ImplementationResult
    from xentcli.render.page import Page

OF_OUTCOME = {
    "fails": "failure", "differs by convention": "failure", "unsupported": "skipped", "expected failure": "skipped",
}  # fmt: skip


def render(report: ConformanceReport, _page: Page) -> str:
    """What was not judged is skipped, with the reason."""
    suites = ElementTree.Element("testsuites")
    for result in printable(report).implementations:
        _add_suite(suites, result)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _add_suite(suites: ElementTree.Element, result: ImplementationResult) -> None:
    outcomes = Counter(OF_OUTCOME.get(case.outcome, "passed") for case in result.cases)
    counts = {"tests": len(result.cases), "failures": outcomes["failure"], "errors": 0, "skipped": outcomes["skipped"]}
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": result.name, **{name: str(count) for name, count in counts.items()}}
    )
    for case in result.cases:
        _add_case(suite, case, result)


def _add_case(suite: ElementTree.Element, case: CaseResult, result: ImplementationResult) -> None:
    element = ElementTree.SubElement(suite, "testcase", classname=f"xent.{case.family}", name=case.name)
    kind = OF_OUTCOME.get(case.outcome)
    if kind:
        fault = fault_of(result, case)
        lines = case.reproduction or (fault.worst.reproduction if fault else ())
        message = f"{case.outcome}: {case_message(result, case)}"
        told = {"type": fault.name} if fault else {}
        ElementTree.SubElement(element, kind, told, message=message).text = "\n".join(lines) or None
