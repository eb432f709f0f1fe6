"""The page of a battery: each case has its sign, each fault is told once, and no implementation's words harm it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from page_reader import embedded, parsed
from torch.nn import functional

from xentcli.conform.asking.implementation import InProcess
from xentcli.conform.battery import run
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.selfcheck import one_thread
from xentcli.conform.telling.summary import summarise
from xentcli.records.conformance import Accuracy, CaseResult, ConformanceReport, Fault, Offence
from xentcli.records.report import Setting, Tool
from xentcli.render.conformance.registry import render
from xentcli.render.html.casemap import letter
from xentcli.render.html.notebook import shown
from xentcli.render.html.write import LARGEST
from xentcli.render.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from page_reader import Element

    from xentcli.records.conformance import ImplementationResult

FAMILIES = ("smoke", "ties", "offsets", "gradient-ignored")
HOSTILE = ("</script><img src=x onerror=alert(1)>", "\"'><svg onload=alert(1)>", "\u202egnp.evil", "<&\"'" * 2_500)


def mean_of_all(
    logits: torch.Tensor, target: torch.Tensor, *, ignore_index: int = -100, reduction: str = "mean", **_: Any
) -> Any:
    """Wrong in one way: rows that are ignored count in the mean."""
    losses = functional.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def textbook(
    logits: torch.Tensor, target: torch.Tensor, *, ignore_index: int = -100, reduction: str = "mean", **_: Any
) -> Any:
    """Wrong in many ways: neither shifted, nor ignoring, and clipped."""
    chance = (logits.exp() / logits.exp().sum(1, keepdim=True)).clamp(min=1e-6)
    losses = -chance.gather(1, target.long().clamp(0, logits.shape[1] - 1).unsqueeze(1)).squeeze(1).log()
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def refuses(_logits: torch.Tensor, _target: torch.Tensor, **_: Any) -> torch.Tensor:
    raise NotImplementedError("<b>not today</b>")


CAST: dict[str, Callable[..., Any]] = {
    "torch": functional.cross_entropy, "one": mean_of_all, "many": textbook, "none": refuses,
}  # fmt: skip


@cache
def judged(name: str) -> ImplementationResult:
    cases = [case for case in corpus().chosen(FAMILIES, (), large=False) if case.family in FAMILIES]
    with one_thread():
        return run(InProcess(name, CAST[name]), cases, corpus().families)


def report(*results: ImplementationResult, **others: Any) -> ConformanceReport:
    first = results[0]
    asked = max(len(each.cases) for each in results)
    return ConformanceReport(
        Tool("xent", "0", "0"), "1.0", asked, results, first.verdict, f"{first.name} {first.summary}", **others
    )


def page_of(*names: str) -> str:
    return html(report(*map(judged, names)))


def html(record: ConformanceReport) -> str:
    made = "".join(render(record, "html", Page(80, color=False)))
    assert len(made.encode()) <= LARGEST
    return made


def signs(root: Element) -> list[list[str]]:
    """Of each case its signs, from the top."""
    return [[each.text for each in column.all("b")] for column in root.all("i")]


@pytest.mark.parametrize("name", CAST)
def test_every_case_has_its_sign(name: str) -> None:
    """Of 370 answers the page shows a verdict for each family, and not which of its cases fail."""
    result, root = judged(name), parsed(page_of(name))
    assert result.verdict in root.all("h1")[0].text
    columns = root.all("i")
    assert len(columns) == len(result.cases)
    for column, case in zip(columns, result.cases, strict=True):
        assert column.attributes["title"].startswith(f"{case.name.partition('/')[2]}: ")
        (mark,) = column.all("b")
        assert mark.attributes["class"] == case.outcome.replace(" ", "-")
        assert mark.text in {"passes": "✓", "unsupported": "–"}.get(case.outcome, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for strip in root.of_class("cells"):
        (image,) = strip.all("span")
        assert image.attributes["role"] == "img"
        assert sum(map(int, re.findall(r"(\d+) \w", image.attributes["aria-label"]))) == len(image.all("i"))


@pytest.mark.parametrize("name", CAST)
def test_each_fault_is_told_once_by_the_letter_of_its_cases(name: str) -> None:
    """A letter in the picture leads to another fault, or to none."""
    result, root = judged(name), parsed(page_of(name))
    told = Counter(sign for column in signs(root) for sign in column)
    for number, fault in enumerate(result.faults):
        assert told[letter(number)] == len(fault.cases)
    notices = root.of_class("notice")
    assert len(notices) == min(6, len(result.faults))
    for number, (notice, fault) in enumerate(zip(notices, result.faults, strict=False)):
        assert notice.of_class("mark")[0].text == letter(number)
        assert fault.statement in notice.text
        assert "\n".join(fault.worst.reproduction) in notice.all("code")[0].text if fault.worst.reproduction else True
        assert fault.cases[0].partition("/")[2] in notice.text
    assert root.text.count("More faults") == (len(result.faults) > 6)


def test_the_cast_is_what_it_is_called() -> None:
    """The tests above pass on pages that show no fault at all."""
    assert len(judged("torch").faults) == 1 < len(judged("many").faults)
    assert not judged("none").faults
    assert [judged(name).verdict for name in CAST] == ["fails", "fails", "fails", "unsupported"]


@pytest.mark.parametrize("name", CAST)
def test_the_counts_are_those_of_the_json(name: str) -> None:
    """Who quotes the page says another number than who reads the file."""
    made = page_of(name)
    content, root = embedded(made), parsed(made)
    assert content == json.loads("".join(render(report(judged(name)), "json", Page(80, color=False))))
    (result,) = content["implementations"]
    outcomes = Counter(case["outcome"] for case in result["cases"])
    known = [len(result["cases"]) - outcomes["unsupported"], outcomes["passes"], len(result["faults"])]
    assert [int(each.text) for each in root.of_class("figure")] == known
    right = {f"{case['accuracy']['digits_minimum']:.1f}" for case in result["cases"] if _has_digits(case)}
    for figure in root.all("figure"):
        assert {each.text.partition(" right, ")[0] for each in figure.all("g")} <= right | {"", " "}
        cells = [row.all("td") for row in figure.all("tr")[1:]]
        assert cells
        assert {row[1].text for row in cells} <= right


def _has_digits(case: dict[str, Any]) -> bool:
    return bool(case["accuracy"]) and case["accuracy"]["digits_minimum"] is not None


def test_a_case_that_passes_has_the_digits_that_are_asked_for() -> None:
    """A point below the line beside a ✓ is a contradiction."""
    known = [each for each in judged("torch").cases if each.accuracy and each.accuracy.digits_allowed is not None]
    assert len(known) > 10
    for case in known:
        assert case.accuracy is not None
        if case.worst is None or case.worst.what != "loss":
            assert case.accuracy.digits_minimum >= case.accuracy.digits_allowed - 1e-6  # type: ignore[operator]


def test_implementations_are_beside_each_other() -> None:
    """Which of two kernels fails a case is looked up in two pages."""
    root = parsed(page_of("torch", "many", "none"))
    known = {case.name: case.outcome for case in judged("many").cases}
    columns = root.all("i")
    assert len(columns) == len(known)
    marks = [[mark.attributes["class"] for mark in column.all("b")] for column in columns]
    expected = [[case.outcome.replace(" ", "-"), known[case.name].replace(" ", "-")] for case in judged("torch").cases]
    assert marks == expected
    rows = [[cell.text for cell in row.all("td")] for row in root.all("tr")[1:4]]
    assert [row[1] for row in rows] == ["torch", "many", "none"]


def renamed(text: str) -> ConformanceReport:
    """A report in which all that an implementation says is this text."""
    worst = CaseResult(
        "ties/a", "ties", "fails", text, (), None, Accuracy(1, 0, 1.0, 1.0, 2.0), Offence("loss", (), 1.0, 2.0, 0.1),
        (), (text,) * 9, (text,),
    )  # fmt: skip
    cases = (
        worst,
        CaseResult("ties/b", "ties", "unsupported", text),
        CaseResult("ties/c", "ties", "passes", "", (text,)),
    )
    faults = tuple(Fault(text, text, text, "fails", ("ties/a",), ("ties",), (), worst, (text,)) for _ in range(60))
    result = summarise(text, cases, {"ties": text}, faults=faults, stale=(text,))
    options = (Setting("--only", text, text),)
    return report(*(replace(result, summary=text),) * 9, options=options)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:9])
def test_words_of_an_implementation_are_texts(text: str) -> None:
    """A kernel's error message runs in the browser of who opens the page, or fills it."""
    made = html(renamed(text))
    plain = parsed(html(renamed("plain")))
    assert Counter(each.tag for each in parsed(made).every()) >= Counter({"i": 3})
    assert {each.tag for each in parsed(made).every()} <= {each.tag for each in plain.every()}
    assert "\u202e" not in made
    assert embedded(made)["verdict"] == "fails"
    names = {key for element in parsed(made).every() if element.tag != "link" for key in element.attributes}
    assert not [key for key in names if key.startswith("on") or key in {"src", "style", "href"}]
    assert len(shown(renamed(text)).encode()) <= LARGEST


def test_six_implementations_of_a_whole_battery_fit() -> None:
    """The comparison that one wants to send is the one that is too large to."""
    first = judged("many")
    cases = tuple(replace(case, name=f"{case.family}/{case.name.partition('/')[2]}-{at}", reason="r" * 200)
                  for at in range(-(-370 // len(first.cases))) for case in first.cases)  # fmt: skip
    made = html(report(*(summarise(f"package.module:kernel{at}", cases, {}, faults=()) for at in range(6))))
    assert len(parsed(made).all("i")) == len(cases) >= 370


def test_the_page_asks_nothing_of_a_network_and_stays_the_same() -> None:
    """Opened on a train it waits; under version control it changes without a change."""
    made = page_of("torch")
    assert not re.search(r"url\(|@import", made.replace("url(data:", ""))
    assert not [each for each in parsed(made).every() if each.tag in {"img", "iframe", "object", "a"}]
    assert made == page_of("torch")


def test_options_and_where_they_came_from_are_told() -> None:
    """A page of half a battery looks like one of all of it."""
    record = report(judged("torch"), options=(Setting("--only", "ties", "the command line"),))
    assert "ties, from the command line" in parsed(html(record)).text
    assert embedded(html(record))["options"] == [{"option": "--only", "value": "ties", "source": "the command line"}]


def test_a_notebook_shows_a_battery() -> None:
    """A cell that ends in a report prints a dataclass of pages' length."""
    record = report(judged("torch"))
    assert parsed(record._repr_html_()).all("i")
    assert len(repr(record).splitlines()) == 3
    assert repr(record).splitlines()[2] == record.summary
