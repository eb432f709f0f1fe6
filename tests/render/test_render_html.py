"""The page: a strict parser reads it, hostile names stay texts, it is small, and it asks nothing of any network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from page_reader import embedded, parsed
from report_factory import REPORTS, confidently_wrong

from xentcli.records.breakdown import LossPart
from xentcli.records.report import ClassProbability, Finding, Sample, plain
from xentcli.records.statistic import Statistic
from xentcli.render.html.document import Document, Notice, Section, Table, shortened
from xentcli.render.html.notebook import shown
from xentcli.render.html.write import LARGEST, _style, page
from xentcli.render.page import Page
from xentcli.render.registry import render

if TYPE_CHECKING:
    from xentcli.records.report import Report

EVERY_REPORT = pytest.mark.parametrize("name", REPORTS)
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "]]>--><!-- {{ 7 * 7 }} {% raw %}",
    "\u202egnp.evil\u2066",
    "a" * 1_000_000,
    "<&\"'" * 250_000,
)


@cache
def page_of(name: str) -> str:
    return "".join(render(REPORTS[name](), "html", Page(80, color=False)))


def renamed(text: str) -> Report:
    """A report in which every text that comes from a user is this one."""
    report = confidently_wrong()
    logits, labels = (replace(each, path=text, notes=(text,)) for each in (report.input.logits, report.input.labels))
    part = LossPart(text, 3, 1.5, Statistic(0.5, 0.5, 0.5), Statistic(1.0, 1.0, 1.0), None)
    return replace(
        report,
        input=replace(report.input, logits=logits, labels=labels, class_names=(text,) * report.counts.classes),
        options=replace(report.options, weight=text),
        findings=(Finding(text, "warning", text, (), text),),
        groups={"class": (part,) * 50, "file": (part,) * 50},
        summary=text,
    )


@EVERY_REPORT
def test_a_strict_parser_reads_the_page(name: str) -> None:
    """An element that is not closed swallows the rest of the page in some browsers."""
    root = parsed(page_of(name))
    assert len(root.all("h1")) == 1
    assert all(table.all("th") for table in root.all("table"))
    assert REPORTS[name]().verdict in root.all("h1")[0].text


@EVERY_REPORT
def test_the_page_holds_the_json_of_the_same_report(name: str) -> None:
    """A script that is given the page alone finds nothing, or other numbers than it shows."""
    expected = json.loads("".join(render(REPORTS[name](), "json", Page(80, color=False))))
    assert embedded(page_of(name)) == expected


@EVERY_REPORT
def test_every_picture_is_told_in_words(name: str) -> None:
    """Who does not see it learns nothing of it."""
    for figure in parsed(page_of(name)).all("figure"):
        (svg,) = figure.all("svg")
        assert svg.attributes["role"] == "img"
        assert len(svg.attributes["aria-label"].split()) > 3


@EVERY_REPORT
def test_the_page_asks_nothing_of_a_network(name: str) -> None:
    """Opened on a train it waits, or it tells a server that it was opened."""
    text = page_of(name)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", text.replace("url(data:", ""))
    for element in parsed(text).every():
        assert not {"src", "srcset", "action", "data", "style"} & element.attributes.keys()
        assert element.attributes.get("href", "data:,") == "data:,"
        assert not [key for key in element.attributes if key.startswith("on")]
    scripts = [element.attributes["type"] for element in parsed(text).all("script")]
    assert scripts == ["application/json"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_names_are_texts_whatever_is_in_them(text: str) -> None:
    """A label that somebody else wrote runs in the browser of who opens the report, or fills it."""
    report = renamed(text)
    made = "".join(render(report, "html", Page(80, color=False)))
    assert len(made.encode()) <= LARGEST
    plain = parsed("".join(render(renamed("plain"), "html", Page(80, color=False))))
    tags = [element.tag for element in plain.every()]
    assert [element.tag for element in parsed(made).every()] == tags
    assert "\u202e" not in made
    assert embedded(made)["verdict"] == report.verdict
    assert len(shown(report).encode()) <= LARGEST


def test_a_million_rows_and_classes_fit_the_page() -> None:
    """A report that one cannot send is no report."""
    report = REPORTS["unreduced"]()
    row = Sample(0, 1, False, 0.5, 0.7, 0.7, 0.69, 0.7, (ClassProbability(0, 0.5),) * 1000)
    parts = tuple(
        LossPart(f"{at} name of a class", 9, float(at), Statistic(0.5, 0.4, 0.6), Statistic(1.0, 1.0, 1.0), None)
        for at in range(1000)
    )
    names = tuple(f"class {at}" for at in range(1_000_000))
    findings = tuple(Finding(f"code-{at}", "warning", "x" * 500, tuple(range(10_000))) for at in range(50))
    report = replace(
        report,
        samples=(row,) * 1_000_000,
        groups={"class": parts, "position": parts},
        input=replace(report.input, class_names=names),
        findings=findings,
    )
    made = "".join(render(report, "html", Page(80, color=False)))
    assert len(made.encode()) <= LARGEST
    assert embedded(made)["losses"] == plain(report.losses)
    assert "999 name of a class" in made
    for by, most in (("class", 20), ("position", 64)):
        assert f"Loss by {by}: the {most} that carry most of 1,000" in made, "a reader takes them for all"


def test_another_process_makes_the_same_bytes() -> None:
    """A report under version control changes without a change."""
    script = (
        "import sys; sys.path.insert(0, 'tests'); from report_factory import REPORTS\n"
        "from xentcli.render.page import Page; from xentcli.render.registry import render\n"
        "sys.stdout.write(''.join(render(REPORTS['confidently_wrong'](), 'html', Page(80, color=False))))"
    )
    made = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, encoding="utf-8")
    assert made.stdout == page_of("confidently_wrong")


def test_a_fragment_leaves_the_page_around_it_alone() -> None:
    """A notebook's own text changes its looks because a report was shown."""
    made = shown(confidently_wrong())
    root = parsed(made)
    assert not root.all("html", "head", "body", "title", "meta", "script", "link")
    assert not [element for element in root.every() if "id" in element.attributes]
    (style,) = root.all("style")
    rules = re.sub(r"@media[^{]*\{|@page \{[^}]*\}", "", str(style.inside[0]))
    selectors = re.findall(r"([^{}]+)\{", rules)
    assert selectors
    for each in ",".join(selectors).split(","):
        assert each.strip().startswith((".xent", "body.xent-page")), each


def luminance(color: str) -> float:
    """Of sRGB, as WCAG 2 defines it."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", range(3), ids=["light", "dark", "print"])
def test_every_text_stands_out(theme: int) -> None:
    """Grey on grey is unreadable in the sun, and on paper."""
    blocks = [
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r"\{[^{}]*--paper:[^{}]*\}", _style())
    ]
    assert len(blocks) == 3
    colors = blocks[theme]
    for text in ("ink", "quiet", "good", "bad", "open", "accent"):
        assert contrast(colors[text], colors["paper"]) >= 4.5, text
        if text in {"ink", "quiet"}:
            assert contrast(colors[text], colors["wash"]) >= 4.5, text
            assert contrast(colors[text], colors["tint"]) >= 4.5, text
    assert contrast(colors["accent"], colors["tint"]) >= 3.0


def test_the_contrast_of_known_colors() -> None:
    """The formula above would pass anything if it were wrong."""
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_the_json_is_cut_before_the_page_is() -> None:
    """Where both do not fit, the page says what it says, and the JSON has the fewer rows."""
    content = {"verdict": "holds", "rows": [{"row": at, "loss": 0.5} for at in range(100_000)], "name": "n" * 400_000}
    document = Document("t", "holds", "s", content, sections=(Section("A", notices=(Notice("note", "n"),)),))
    made = page(document)
    assert len(made.encode()) <= LARGEST
    found = embedded(made)
    assert found["verdict"] == "holds"
    assert found["rows"] == content["rows"][: len(found["rows"])]
    assert len(found["rows"]) == 1000
    assert "as much as fits is embedded" in made


def test_a_page_with_all_of_its_json_says_so() -> None:
    """Whoever takes numbers from the page must know whether some are missing."""
    made = page(Document("t", "holds", "s", {"verdict": "holds"}))
    assert "The numbers of this page are embedded" in made
    assert "as much as fits" not in made


def test_nothing_is_put_on_the_page_for_a_section_that_says_nothing() -> None:
    """A heading with nothing below it looks like a fault."""
    document = Document("t", "holds", "s", {}, sections=(Section("Empty"), Section("Full", "Said.")))
    assert [each.text for each in parsed(page(document)).all("h2")] == ["Full"]
    assert Table.of(None) == ()


@pytest.mark.parametrize("most", [3, 10, 47])
def test_a_shortened_text_is_as_long_as_it_may_be(most: int) -> None:
    """One sign more in each of a thousand cells is a page that is too large."""
    assert shortened("abc", most) == "abc"
    long = "".join(map(str, range(100)))
    assert len(shortened(long, most)) == most
    assert shortened(long, most)[0] == "0"
