"""The tables for reading: no digit is cut at any width, colours only where they are wanted, everything said."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from report_factory import (
    REPORTS,
    agreeing,
    confidently_wrong,
    disproved,
    undecided,
    unreduced,
    unreferenced,
    vocabulary,
)

from xentcli.records.report import Finding, Report, Sample
from xentcli.render.page import Page
from xentcli.render.table import render
from xentcli.render.wording import printable

WIDTHS = (40, 80, 200)
CODES = re.compile(r"\x1b\[[0-9;]*m")


def plain_text(report: Report, width: int = 80) -> str:
    return "".join(render(report, Page(width, color=False)))


@cache
def shown(name: str, width: int = 80) -> str:
    """The plain text of one of the factory's reports."""
    return plain_text(REPORTS[name](), width)


def rows_below(text: str, title: str) -> list[list[str]]:
    """The words of each line of the table below the title, without its head and rule."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(title))
    rows = lines[start + 3 :]
    return [line.split() for line in rows[: rows.index("")]]


def cells_below(text: str, title: str) -> list[dict[str, str]]:
    """The cells of each line of the table below the title, by the names of its columns."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(title))
    start = next(number for number in range(start, len(lines)) if lines[number].startswith("─")) - 1
    names = re.findall(r"true loss|\S+", lines[start])
    rows = lines[start + 2 :]
    return [dict(zip(names, line.split(), strict=False)) for line in rows[: rows.index("")]]


def same(text: str, value: float, dtype: str) -> bool:
    """Whether the text is the value, for a reader in the dtype."""
    with np.errstate(over="ignore"):
        read = torch.tensor(float(text), dtype=torch.float64).to(getattr(torch, dtype)).item()
    return read == value or (math.isnan(read) and math.isnan(value))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", REPORTS)
def test_every_sample_reads_back_at_every_width(name: str, width: int) -> None:
    """A narrow terminal cuts a digit from a loss, without a word."""
    report = REPORTS[name]()
    rows = cells_below(shown(name, width), "Losses in nats")
    assert len(rows) == len(report.samples)
    for cells, sample in zip(rows, report.samples, strict=True):
        assert int(cells["row"]) == sample.row
        if sample.ignored:
            assert cells["library"] == "ignored"
            continue
        for path, value in (("library", sample.library), ("manual", sample.manual)):
            assert same(cells[path], value, report.options.dtype) if path in cells else width == 40
        assert true_loss_holds(cells.get("true loss"), sample) or (width == 40 and "true loss" not in cells)


def true_loss_holds(text: str | None, sample: Sample) -> bool:
    """The true loss is absent, or as near to the enclosure as its digits say."""
    if sample.lower is None or math.isnan(sample.lower):
        return text in {None, "nan"}
    return text is not None and math.isclose(float(text), sample.lower, rel_tol=1e-3)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in REPORTS if name != "unreduced"])
def test_every_total_reads_back_at_every_width(name: str, width: int) -> None:
    """The one number that the user came for is cut, or rounded to another dtype than the report's."""
    report = REPORTS[name]()
    dtype = "float64" if report.streamed else report.options.dtype
    text = shown(name, width)
    title = "Sum over" if report.options.reduction == "sum" else "Mean over"
    library, manual, *truth = totals_below(text, title)
    for words, result in ((library, report.losses.library), (manual, report.losses.manual)):
        assert result.value is not None
        assert same(words[1], result.value, dtype)
        assert words[-1] == (result.status or words[1])
    reference = report.losses.reference
    assert len(truth) <= (reference is not None)
    if reference and reference.decimal:
        assert reference.decimal in text.split()


def totals_below(text: str, title: str) -> list[list[str]]:
    """The rows of the totals, of which no head begins with a word."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(title))
    start = next(number for number in range(start, len(lines)) if lines[number].startswith("─"))
    return [line.split() for line in lines[start + 1 : lines.index("", start)]]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_row_of_a_table_is_wider_than_the_page(name: str, width: int) -> None:
    """A terminal breaks the row in two, and a number stands in the wrong column."""
    lines = shown(name, width).split("\n")
    rules = [number for number, line in enumerate(lines) if line.startswith("─")]
    for rule in rules:
        assert max(map(len, lines[rule - 1 : lines.index("", rule)])) <= width


@pytest.mark.parametrize("width", [0, 1, *WIDTHS])
def test_sentences_fit_the_page_and_keep_their_words(width: int) -> None:
    """A finding is broken by the terminal, within a word, or loses one."""
    text, unbroken = (shown("confidently_wrong", each) for each in (width, 10_000))
    prose, whole = (each[: each.index("\n\ninput")].split() for each in (text, unbroken))
    assert prose == whole
    longest = max(map(len, prose))
    assert all(len(line) <= max(width, 26, 13 + longest) for line in text[: text.index("\n\ninput")].split("\n"))


@pytest.mark.parametrize("name", REPORTS)
def test_colours_only_where_they_are_wanted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log file fills with colour codes, or the environment decides instead of the page."""
    report = REPORTS[name]()
    expected = shown(name)
    for variable, value in (("FORCE_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "30"), ("TTY_COMPATIBLE", "1")):
        monkeypatch.setenv(variable, value)
    assert "\x1b" not in expected
    assert plain_text(report) == expected
    monkeypatch.setenv("NO_COLOR", "1")
    colored = "".join(render(report, Page(80, color=True)))
    stripped = [line.rstrip() for line in CODES.sub("", colored).split("\n")]
    assert stripped == expected.split("\n")
    assert CODES.search(colored)


@pytest.mark.parametrize("name", REPORTS)
def test_the_text_ends_with_one_newline_and_no_line_with_blanks(name: str) -> None:
    """A script that takes the last line gets an empty one."""
    text = shown(name)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert all(line == line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("agreeing", "32"),
        ("confidently_wrong", "32"),
        ("undecided", "33"),
        ("proved", "32"),
        ("disproved", "31"),
        ("not_a_number", "31"),
    ],
)
def test_the_verdict_is_last_and_has_its_colour(name: str, color: str) -> None:
    """The verdict is lost among the numbers, or a failing one is green."""
    report = REPORTS[name]()
    last = plain_text(report, 200).split("\n")[-2]
    assert last == f"{report.verdict}: {report.summary}"
    assert f"\x1b[1;{color}m{report.verdict}\x1b[0m:" in "".join(render(report, Page(200, color=True))).split("\n")[-2]


def test_the_label_stands_out_with_and_without_colour() -> None:
    """A learner cannot find the probability that the loss is made of."""
    rows = rows_below(shown("agreeing"), "Probabilities")
    assert [[word for word in row if word.startswith("*")] for row in rows] == [
        ["*0.431"],
        ["*0.9996"],
        ["*0.100"],
        ["*0.050"],
    ]
    assert "\x1b[1m*0.431\x1b[0m" in "".join(render(agreeing(), Page(80, color=True)))


def test_rows_of_a_finding_are_coloured() -> None:
    """Among twenty rows, the two that are wrong look like the others."""
    lines = "".join(render(confidently_wrong(), Page(80, color=True))).split("\n")
    colored = [CODES.sub("", line).split()[0] for line in lines if line.startswith("\x1b[33m")]
    assert colored == ["17", "203"]


def test_an_ignored_row_has_no_label_and_no_losses() -> None:
    """An ignored row's loss of 0 is taken for a perfect prediction."""
    text = shown("unreduced")
    assert ["2", "-100", "ignored"] in rows_below(text, "Losses in nats")
    assert "*" not in " ".join(rows_below(text, "Probabilities")[2])


def test_without_a_total_the_worst_rows_are_shown() -> None:
    """With reduction none a mean is shown that nobody asked for."""
    text = shown("unreduced")
    assert rows_below(text, "Worst rows") == [
        ["library", "0", "0.84187925", "3e-08", "4.7e-07", "within"],
        ["manual", "3", "2.9957325", "2.1e-07", "1.6e-06", "within"],
    ]
    empty = replace(unreduced().losses, library=replace(unreduced().losses.library, worst=None))
    assert ["library", "within"] in rows_below(plain_text(replace(unreduced(), losses=empty)), "Worst rows")


def test_without_a_reference_the_discrepancy_stands_beside_its_allowance() -> None:
    """With the reference off, a column of errors is empty and the reader does not see what was judged."""
    text = shown("unreferenced")
    assert "difference of the means  1.2e-07 (relative 7.8e-08, 1 ulp), allowed 2.1e-06\n" in text
    assert not re.search(r"\berror\b|\bstatus\b|true", text)


def test_many_classes_are_left_out_and_counted() -> None:
    """A row of 50,257 probabilities fills the screen, or the label's is not among those shown."""
    wide, narrow = shown("vocabulary", 80), shown("vocabulary", 40)
    assert "the label's and 5 highest (50,252 classes left out)" in wide
    assert rows_below(wide, "Probabilities")[0][:5] == ["9", "*15:", "0.003", "262:", "0.313"]
    assert "*262: 0.313 *262: 0.313" in wide
    assert "(50,255 classes left" in narrow
    assert max(len(line) for line in narrow.split("\n") if "262:" in line) <= 40


def test_an_ignored_row_among_many_classes_says_so() -> None:
    """The label -100 is shown with a probability."""
    first, *others = vocabulary().samples
    ignored = replace(first, label=-100, ignored=True, probability=None)
    text = plain_text(replace(vocabulary(), samples=(ignored, *others)))
    assert rows_below(text, "Probabilities")[0][:3] == ["9", "ignored", "262:"]


def test_eleven_classes_are_all_shown_where_they_fit() -> None:
    """A wide screen shows five of eleven probabilities, or a narrow one breaks their lines."""
    report = agreeing()
    extra = [
        replace(one, probabilities=(*one.probabilities, replace(one.probabilities[0], index=10)))
        for one in report.samples
    ]
    eleven = replace(report, counts=replace(report.counts, classes=11), samples=tuple(extra))
    assert "classes left out" not in plain_text(eleven, 200)
    assert "(6 classes left out)" in plain_text(eleven, 75)


def test_target_probabilities_have_no_label() -> None:
    """A row without a label gets a column of None."""
    text = shown("probability_targets")
    assert "label" not in text
    assert "None" not in text


def test_rows_left_out_are_counted_with_the_option_that_shows_them() -> None:
    """A user believes that twenty rows were all there were."""
    assert "999,996 of 1,000,000 rows left out; --rows all shows them\n" in shown("streamed")
    assert "left out" not in shown("agreeing")
    none_shown = plain_text(replace(agreeing(), samples=()))
    assert "left out" not in none_shown  # who asks for no rows knows that
    assert "Losses in nats" not in none_shown


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("agreeing", "Mean over 4 samples\n"),
        ("vocabulary", "Mean over total weight 401.25 of 446 samples\n"),
        ("streamed", "Sum over 876,544 samples, 123,456 ignored\n"),
        ("unreduced", "Worst rows\n"),
    ],
)
def test_the_total_says_what_it_is_of(name: str, title: str) -> None:
    """A mean over padding, or over weights, is taken for a mean over samples."""
    assert f"\n{title}" in shown(name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("agreeing", None),
        ("unreduced", "--reduction none"),
        ("narrowed", "--label-smoothing 0.1 --dtype bfloat16 --seed 7"),
        ("vocabulary", "--weight weights.npy --class-axis -1"),
    ],
)
def test_options_that_are_not_defaults_are_shown(name: str, options: str | None) -> None:
    """Two reports differ, and nothing in them says why."""
    found = re.search(r"^options  (.*)$", shown(name), re.MULTILINE)
    assert (found and found[1]) == options


def test_the_dtype_of_a_text_file_is_no_option() -> None:
    """A CSV file's report claims that --dtype float64 was given."""
    report = agreeing()
    text = replace(report.input, logits=replace(report.input.logits, dtype="text", format="csv"))
    assert "--dtype float32" in plain_text(replace(report, input=text))
    double = replace(report.options, dtype="float64", weight="my weights.npy")
    assert "options  --weight 'my weights.npy'\n" in plain_text(replace(report, input=text, options=double))


def test_what_was_read_is_told() -> None:
    """A user reads the report of another file, or does not see that it holds NaN."""
    text = shown("not_a_number", 200)
    assert re.search(r"^logits +4 × 10 +float32 +1,234 NaN, 2 infinite +npy +logits\.npy$", text, re.MULTILINE)
    some = replace(agreeing().input.logits, shape=(), range=replace(agreeing().input.logits.range, nan=1))
    mixed = plain_text(replace(agreeing(), input=replace(agreeing().input, logits=some)))
    assert re.search(r"^logits +scalar +float32 +-2\.115 to 5\.197, 1 NaN +npy", mixed, re.MULTILINE)


def test_a_path_that_fails_says_where() -> None:
    """The user sees that a path is wrong, and not in which row."""
    text = shown("confidently_wrong", 200)
    assert re.search(r"^manual +underflow in 2 of 4,096 rows; worst is row 17: inf \(error inf, a", text, re.MULTILINE)
    assert "difference of the means  inf\n" in text
    assert "largest in a row         row 17 (library 120.0, manual inf, true 120.0)\n" in text


def test_a_total_that_fails_alone_says_so() -> None:
    """A float16 sum overflows though every sample is right, and the report names a row."""
    report = agreeing()
    overflow = replace(report.losses.library, value=math.inf, status="overflow", rows={"within": 4, "overflow": 0})
    text = plain_text(replace(report, losses=replace(report.losses, library=overflow)))
    assert re.search("^library +overflow in the total alone$", text, re.MULTILINE)


def test_cast_and_streaming_are_told() -> None:
    """The digits that --dtype took are blamed on the computation."""
    cast = "^cast +the cast to bfloat16 moves the true loss by 0.00081, not counted as an error$"
    assert re.search(cast, shown("narrowed", 200), re.MULTILINE)
    assert re.search("^streamed +library and manual: an exact sum of", shown("streamed"), re.MULTILINE)


@pytest.mark.parametrize(
    ("report", "lines"),
    [
        (
            disproved(),
            """claim: 6.1423 does not hold; the true value is 1.53514917023
  cause   the sum of the 4 losses: 6.1423 (sum-instead-of-mean)
  match   at all its digits; one of 47 values tried does so by chance once in
          2,000
  remedy  divide by them
""",
        ),
        (
            REPORTS["unexplained"](),
            """claim: 3.2 does not hold; the true value is 1.53514917023
  cause  no mistake can be told by 2 digits
""",
        ),
        (undecided(), "claim: 1.55 is undecided; the true value is 1.5 to 1.6\n"),
        (REPORTS["proved"](), "claim: 1.536 holds; the true value is 1.53514917023\n"),
    ],
    ids=["does not hold", "unexplained", "undecided", "holds"],
)
def test_a_claim_is_answered(report: Report, lines: str) -> None:
    """A wrong number is called wrong, and the mistake that makes it is not named."""
    assert f"\n{lines}\n" in plain_text(report)


def test_a_claim_without_a_known_truth_names_none() -> None:
    """The answer ends in "the true value is None"."""
    assert "claim: 6.1423 does not hold\n" in plain_text(replace(disproved(), losses=unreferenced().losses))


def test_a_findings_rows_are_counted_beyond_ten() -> None:
    """A finding of 4,096 rows fills the screen."""
    assert "  rows  0, 4, 8, 12, 16, 20, 24, 28, 32, 36 and 5 more\n" in shown("vocabulary")
    exactly_ten = Finding("code", "info", "message", tuple(range(10)))
    assert "  rows  0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n" in plain_text(replace(agreeing(), findings=(exactly_ten,)))


@given(st.text())
def test_what_is_printable_stays_and_the_rest_is_escaped(text: str) -> None:
    """A file's name moves the cursor, hides the verdict, or ends a line of a log."""
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()
    shown.encode()


def test_every_text_of_a_report_is_made_printable() -> None:
    """A control character comes through by a record that was forgotten."""
    text = shown("not_a_number")
    assert "\x1b" not in text
    assert "\x00" not in text
    assert text.count(r"a|b`c*\x1b[31m<&\n%,:\x00\udcff.npy") == 2
