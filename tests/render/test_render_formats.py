"""The formats for machines: strict readers accept them, find the same numbers, and see what does not hold."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import REPORTS, agreeing, confidently_wrong, every, not_a_number, undecided, unreferenced

from xentcli.errors import Exit
from xentcli.records.report import Finding, Report
from xentcli.render.github import command
from xentcli.render.page import Page
from xentcli.render.registry import FORMATS, TEXTS, render
from xentcli.render.wording import verdict

EVERY_REPORT = pytest.mark.parametrize("name", REPORTS)


def text_of(report: Report, form: str) -> str:
    return "".join(render(report, form, Page(80, color=False)))


def renamed(name: str) -> Report:
    """A report whose paths, findings and summary hold any text."""
    report = confidently_wrong()
    finding = replace(report.findings[0], message=name, hint=name)
    return replace(
        report,
        findings=(finding,),
        summary=name,
        input=replace(report.input, logits=replace(report.input.logits, path=name)),
    )


@EVERY_REPORT
@pytest.mark.parametrize("form", TEXTS)
def test_each_format_ends_with_one_newline(form: str, name: str) -> None:
    """Two reports in one file run into each other, or a blank line breaks a reader."""
    text = text_of(REPORTS[name](), form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_registry_and_the_formats_import_nothing_heavy() -> None:
    """`xent --help` takes seconds, or a renderer computes what it should only show."""
    script = """
import sys
from importlib import import_module
from xentcli.render.registry import FORMATS
assert not {"rich", "torch", "numpy", "xml", "csv"} & set(sys.modules)
ARRAYS = {"csv", "json", "npy"}  # these write the columns of all samples
for name in sorted(FORMATS.keys() - ARRAYS, key="table".__eq__):
    assert "rich" not in sys.modules
    import_module(FORMATS[name].module)
assert not {"torch", "numpy"} & set(sys.modules)
for name in ARRAYS:
    import_module(FORMATS[name].module)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_format_is_described_in_one_line() -> None:
    """`xent --help` shows a format without a word about it."""
    assert all(form.description and "\n" not in form.description for form in FORMATS.values())


# JSON


def no_constant(token: str) -> float:
    raise ValueError(token)


@EVERY_REPORT
def test_json_is_strict_and_the_record(name: str) -> None:
    """A strict parser refuses NaN, or a script reads another number than Python's `Report` holds."""
    report = REPORTS[name]()
    content = json.loads(text_of(report, "json"), parse_constant=no_constant)
    assert list(content) == list(report.to_dict())
    assert_same(content, report)


def assert_same(content: Any, record: Any) -> None:
    """The parsed JSON holds what the record does; an absent name is None."""
    if dataclasses.is_dataclass(record):
        for field in fields(record):
            assert_same(content.get(field.name), getattr(record, field.name))
    elif isinstance(record, Sequence) and not isinstance(record, str):
        assert len(content) == len(record)
        for one, other in zip(content, record, strict=True):
            assert_same(one, other)
    elif isinstance(record, float):
        assert float(content) == record or (math.isnan(record) and content == "nan")
    else:
        assert content == record


# CSV


def parsed(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(report, "csv")), strict=True))


def same(cell: str, value: object) -> bool:
    """Whether a cell of CSV is the value."""
    if isinstance(value, bool) or value is None:
        return cell == {True: "true", False: "false", None: ""}[value]
    if isinstance(value, float) and math.isnan(value):
        return cell == "nan"
    return cell == value if isinstance(value, str) else float(cell) == value


@EVERY_REPORT
def test_csv_has_the_same_totals(name: str) -> None:
    """A spreadsheet shows another loss than the report."""
    report = replace(REPORTS[name](), options=replace(REPORTS[name]().options, reduction="sum"))
    (row,) = parsed(report)
    for path, result in (("library", report.losses.library), ("manual", report.losses.manual)):
        for column, field in (("loss", "value"), ("error", "error"), ("allowed", "allowed"), ("ulp", "ulp")):
            assert same(row[f"{column}_{path}"], getattr(result, field))
        assert row[f"status_{path}"] == (result.status or "")
    for field in ("absolute", "relative", "ulp", "allowed"):
        assert same(row[f"discrepancy_{field}"], getattr(report.discrepancy, field))
    reference = report.losses.reference
    assert same(row["lower"], reference and reference.lower)
    assert same(row["upper"], reference and reference.upper)
    assert same(row["denominator"], report.counts.denominator)
    assert same(row["cast_effect"], report.cast and report.cast.effect)
    assert same(row["expectation_holds"], report.expectation and report.expectation.holds)
    assert row["verdict"] == report.verdict


@EVERY_REPORT
def test_csv_has_a_line_a_sample_without_a_reduction(name: str) -> None:
    """A column of per-sample losses has lost digits, or rows."""
    report = REPORTS[name]()
    report = replace(report, options=replace(report.options, reduction="none"), samples=every(report.samples))
    rows = parsed(report)
    assert list(rows[0]) == ["row", "label", "ignored", "probability", "library", "manual", "lower", "upper"]
    assert len(rows) == len(report.samples)
    for row, sample in zip(rows, report.samples, strict=True):
        assert all(same(cell, getattr(sample, column)) for column, cell in row.items())


# Markdown


@EVERY_REPORT
def test_markdown_tables_have_as_many_cells_in_every_row(name: str) -> None:
    """A `|` in a file's name shifts the numbers of a comment's table by a column."""
    tables = re.findall(r"(?:^\|.*\n)+", text_of(REPORTS[name](), "markdown"), re.MULTILINE)
    assert len(tables) >= 2
    for table in tables:
        lengths = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(lengths) == 1


@given(st.text())
def test_markdown_escapes_what_it_would_read(name: str) -> None:
    """A file's name closes the folded samples, or becomes a link or a tag."""
    text = text_of(renamed(name), "markdown")
    bare = re.sub(r"\\[^\w\s]", "", text)
    assert sorted(re.findall(r"<[^>]*>", bare)) == ["</details>", "</summary>", "<details>", "<summary>"]
    assert not re.search(r"[`\[\]&~]", bare)
    assert bare.count("|") == agreeing_pipes()


def agreeing_pipes() -> int:
    """The cell borders of the report that `renamed` changes."""
    return text_of(confidently_wrong(), "markdown").count("|")


# JUnit


def suite_of(report: Report) -> ElementTree.Element:
    root = ElementTree.fromstring(text_of(report, "junit"))
    (suite,) = root
    assert (root.tag, suite.tag, suite.get("name")) == ("testsuites", "testsuite", "xent")
    return suite


def outcomes(report: Report) -> dict[str, str]:
    """Each test case's name, with the tag of what became of it."""
    return {str(case.get("name")): case[0].tag if len(case) else "passed" for case in suite_of(report)}


@EVERY_REPORT
def test_junit_is_red_exactly_where_the_exit_code_is(name: str) -> None:
    """A server shows a green build whose step failed, or the other way round."""
    suite = suite_of(REPORTS[name]())
    red = len(suite.findall(".//failure")) + len(suite.findall(".//error"))
    assert bool(red) == (REPORTS[name]().exit_code() != Exit.HOLDS)
    assert [suite.get(name) for name in ("failures", "errors", "skipped", "tests")] == [
        str(len(suite.findall(f".//{tag}"))) for tag in ("failure", "error", "skipped", "testcase")
    ]


@pytest.mark.parametrize(
    ("report", "cases"),
    [
        (agreeing(), {"library": "passed", "manual": "passed"}),
        (confidently_wrong(), {"library": "passed", "manual": "skipped", "softmax-underflow": "skipped"}),
        (unreferenced(), {"discrepancy": "passed"}),
        (replace(unreferenced(), verdict="fails"), {"discrepancy": "failure"}),
        (replace(unreferenced(), verdict="undecided"), {"discrepancy": "error"}),
        (
            undecided(),
            {"library": "passed", "manual": "passed", "verdict": "error", "expectation": "error", "wide": "skipped"},
        ),
        (REPORTS["proved"](), {"library": "passed", "manual": "passed", "expectation": "passed"}),
        (REPORTS["disproved"](), {"library": "passed", "manual": "passed", "expectation": "failure"}),
    ],
)
def test_junit_has_a_case_for_each_thing_that_was_judged(report: Report, cases: dict[str, str]) -> None:
    """A build's page does not say which of the paths, claims and findings failed."""
    assert outcomes(report) == cases


DISPROVED = """cause: the sum of the 4 losses: 6.1423 (sum-instead-of-mean)
match: at all its digits; one of 47 values tried does so by chance once in 2,000
remedy: divide by them"""


def test_a_junit_failure_says_what_and_where() -> None:
    """The server shows "failure" and nothing else."""
    skipped = suite_of(confidently_wrong()).find("testcase[@name='manual']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "underflow in 2 of 4,096 rows; worst is row 17: inf (error inf, allowed 7.6e-06)"
    claim = suite_of(REPORTS["disproved"]()).find("testcase[@name='expectation']/failure")
    assert claim is not None
    assert claim.text == DISPROVED


@given(st.text())
def test_junit_stays_well_formed(name: str) -> None:
    """A control character in a file's name makes the server drop the whole report."""
    skipped = suite_of(renamed(name)).find("testcase[@name='softmax-underflow']/skipped")
    assert skipped is not None
    assert str(skipped.get("message")).isprintable()


# GitHub

COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\n]*)::(.*)")


def commands(report: Report) -> list[tuple[str, str, str]]:
    """Level, title and message of each line, unescaped as GitHub's runner does it."""
    found = [COMMAND.fullmatch(line) for line in text_of(report, "github").split("\n")[:-1]]
    return [(match[1], unescaped(match[2]), unescaped(match[3])) for match in found if match]


def unescaped(text: str) -> str:
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, sign)
    return text


@given(st.sampled_from(["error", "notice"]), st.text(), st.text())
def test_a_workflow_command_is_one_line_and_reads_back(level: str, title: str, message: str) -> None:
    """A newline in a message ends the annotation, and what follows is run as another command."""
    line = command(level, title, message)
    assert "\n" not in line
    assert "\r" not in line
    match = re.fullmatch(r"::(\w+) title=([^:,]*)::(.*)", line, re.DOTALL)
    assert match
    assert match[1] == level
    assert unescaped(match[2]) == title
    assert match[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == message


@EVERY_REPORT
def test_github_ends_with_the_verdict(name: str) -> None:
    """A pull request shows no annotation for a check that failed."""
    report = REPORTS[name]()
    lines = text_of(report, "github").split("\n")[:-1]
    found = commands(report)
    assert len(found) == len(lines)
    assert found[-1] == (
        "notice" if report.verdict == "holds" else "error",
        "xent",
        verdict(report),
    )
    assert any(level == "error" for level, _, _ in found) == (report.exit_code() != Exit.HOLDS)


def test_github_annotates_paths_claims_and_findings() -> None:
    """The annotation names the finding and not what to do."""
    note = Finding("code", "info", "100% of it", (1, 2), "look")
    assert commands(replace(agreeing(), findings=(note,)))[0] == (
        "notice",
        "xent: code",
        "100% of it\nrows: 1, 2\nhint: look",
    )
    assert [title for _, title, _ in commands(not_a_number())] == [
        "xent: nan-logits",
        "xent: library",
        "xent: manual",
        "xent",
    ]
    assert commands(REPORTS["disproved"]())[0] == (
        "error",
        "xent: claim",
        f"6.1423 does not hold; the true value is 1.53514917023\n{DISPROVED}",
    )
