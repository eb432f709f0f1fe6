"""The comparison as JUnit XML: a suite for each other side, a test case a limit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from xentcli.render.comparison.cells import gate_line
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
    outcomes = Counter(OF_VERDICT.get(gate.verdict, "passed") for gate in one.gates)
    counts = {"tests": len(one.gates) + 1, "failures": outcomes["failure"], "errors": outcomes["error"], "skipped": 0}
    names = {name: str(count) for name, count in counts.items()}
    suite = ElementTree.SubElement(suites, "testsuite", {"name": one.name, **names})
    compared = ElementTree.SubElement(suite, "testcase", classname="xent.compare", name="compared")
    said = (one.summary, *(carried(by, parts) for by, parts in one.groups.items()))
    ElementTree.SubElement(compared, "system-out").text = "\n".join(said)
    for gate in one.gates:
        case = ElementTree.SubElement(suite, "testcase", classname="xent.compare", name=gate.name)
        if gate.verdict in OF_VERDICT:
            ElementTree.SubElement(case, OF_VERDICT[gate.verdict], message=f"{gate.verdict}: {gate_line(gate)}")
