"""The registry of codes for reading: all of them in a line each, or one with its example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.records.report import Cause
from xentcli.render.comparison.claims import shown_name
from xentcli.render.drawing import COLORS, colored, draw, entries, filled, heading
from xentcli.render.wording import (
    SEVERITIES,
    cause_details,
    changed_options,
    claim,
    claim_details,
    finding_details,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.comparison import ClaimedStatistic
    from xentcli.records.report import Finding, Report
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

MOST_NUMBERS = 80  # of an array that is shown in full


@dataclass(frozen=True)
class Meaning:
    """A code with its example: the arrays as texts, the report on them, and what it says under this code."""

    name: str
    definition: str
    facts: tuple[Entry, ...]  # its formula and its source, where there are
    arrays: tuple[Entry, ...]
    report: Report
    said: Finding | Cause


@dataclass(frozen=True)
class PairMeaning:
    """A code of a comparison, and what is said of a claim that it gives."""

    name: str
    definition: str
    facts: tuple[Entry, ...]
    claimed: ClaimedStatistic
    said: Cause


def listing(causes: Iterable[Entry], pairs: Iterable[Entry], findings: Iterable[Entry], page: Page) -> str:
    """Every code with its definition."""
    groups = (
        ("Causes of a claim that does not hold", causes),
        ("Causes and findings about two sets of logits", pairs),
        ("Findings about the input and the numbers", findings),
    )
    return draw(([heading(title, page.width), *entries(codes, page.width)] for title, codes in groups), page)


def one(meaning: Meaning, page: Page) -> str:
    """One code, its example and what the report says of it."""
    return draw(_sections(printable(meaning), page.width), page)


def of_pair(meaning: PairMeaning, page: Page) -> str:
    """One code of a comparison, and what is said of its example."""
    shown, width = printable(meaning), page.width
    claim = f"claim: {shown_name(shown.claimed)} {shown.claimed.claimed} does not hold"
    first = [heading(shown.name, width), Text(filled(shown.definition, width)), *entries(shown.facts, width)]
    true = [("true", shown.claimed.true or ""), *cause_details(shown.said)]
    return draw([first, [heading("Example", width), colored(claim, "red", width), *entries(true, width, "  ")]], page)


def glossary(words: Iterable[Entry], page: Page) -> str:
    """Every word with its first sentence."""
    return draw([[heading("Words of reports and messages", page.width), *entries(words, page.width)]], page)


def entry(title: str, text: str, page: Page) -> str:
    """One word: sentences as wide as the page, formulas as they stand."""
    parts = text.split("\n\n")
    texts: Section = [Text(part if part.startswith("    ") else filled(part, page.width)) for part in parts]
    return draw([[heading(title, page.width), texts[0]], *([each] for each in texts[1:])], page)


def numbers(values: object) -> str:
    """The numbers of an example as Python spells them; of a large one only the beginning."""
    text = str(values)
    return text if text.count(",") < MOST_NUMBERS else f"{text[:60]} ..."


def _sections(meaning: Meaning, width: int) -> Iterator[Section]:
    report, said = meaning.report, meaning.said
    yield [heading(meaning.name, width), Text(filled(meaning.definition, width)), *entries(meaning.facts, width)]
    yield [heading("Example", width), *entries([*meaning.arrays, ("options", changed_options(report))], width)]
    if isinstance(said, Cause):
        yield [colored(f"claim: {claim(report)}", "red", width), *entries(claim_details(report), width, "  ")]
    else:
        word = SEVERITIES[said.severity]
        message = colored(f"{word}: {said.message}", COLORS[word], width)
        yield [message, *entries(finding_details(said), width, "  ")]
