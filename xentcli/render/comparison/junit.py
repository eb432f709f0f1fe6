"""The comparison as JUnit XML: a suite for each other side, a test case a limit and a claim."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from xentcli.render.comparison.cells import gate_line
from xentcli.render.comparison.claims import claim_details, claim_line, shown_name
from xentcli.render.comparison.parts import carried
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from xentcli.records.comparison import Compared, Comparison
    from xentcli.records.report import Judgement
    from xentcli.render.page import Page

OF_VERDICT: dict[Judgement, str] = {"fails": "failure", "undecided": "error"}


def render(comparison: Comparison, _page: Page) -> str:
    """What was found is the case of the comparison itself, which nothing can fail."""
    suites = ElementTree.Element("testsuites")
    for one in printable(comparison).comparisons:
        _add_suite(suites, one)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _add_suite(suites: ElementTree.Element, one: Compared) -> None:
    outcomes = Counter(OF_VERDICT.get(verdict, "passed") for verdict in one.verdicts)
    warned = [each for each in one.findings if each.severity == "warning"]
    tests, failures, errors = len(one.verdicts) + len(warned) + 1, outcomes["failure"], outcomes["error"]
    counts = {"tests": tests, "failures": failures, "errors": errors, "skipped": len(warned)}
    names = {name: str(count) for name, count in counts.items()}
    suite = ElementTree.SubElement(suites, "testsuite", {"name": one.name, **names})
    compared = ElementTree.SubElement(suite, "testcase", classname="xent.compare", name="compared")
    said = (one.summary, *(carried(by, parts) for by, parts in one.groups.items()))
    ElementTree.SubElement(compared, "system-out").text = "\n".join(said)
    for finding in warned:
        case = ElementTree.SubElement(suite, "testcase", classname="xent.compare", name=finding.code)
        ElementTree.SubElement(case, "skipped", message=finding.message)
    for gate in one.gates:
        _add_case(suite, gate.name, gate.verdict, gate_line(gate))
    for each in one.expectations:
        details = "\n".join(map(": ".join, claim_details(each)))
        _add_case(suite, f"expect {shown_name(each)}", each.verdict, claim_line(each), details)


def _add_case(suite: ElementTree.Element, name: str, verdict: Judgement, told: str, details: str = "") -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="xent.compare", name=name)
    if verdict in OF_VERDICT:
        ElementTree.SubElement(case, OF_VERDICT[verdict], message=f"{verdict}: {told}").text = details or None
