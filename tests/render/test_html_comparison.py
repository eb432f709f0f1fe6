"""The page of a comparison: pictures stand where their numbers are, and many sides, parts and odd names fit on it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Element, embedded, parsed
from process import SAMPLES, xent_here

import xentcli
from xentcli.records.breakdown import Part
from xentcli.records.comparison import ClaimedStatistic, Comparison, Gate
from xentcli.records.report import Finding, Setting
from xentcli.records.statistic import Percentile, Statistic
from xentcli.render.cells import Grid
from xentcli.render.comparison.registry import render
from xentcli.render.html.differences import told
from xentcli.render.html.intervals import Estimate, intervals
from xentcli.render.html.notebook import shown
from xentcli.render.html.shapes import WIDTH
from xentcli.render.html.write import LARGEST
from xentcli.render.page import Page

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = SAMPLES / "digits"
NOTHING = Grid(("",), ())
HOSTILE = ("<script>alert(1)</script>", "\"'><svg onload=alert(1)>", "\u202egnp.evil\u2066", "<&\"'" * 250_000)


@cache
def compared(other: str = "int4.npy") -> Comparison:
    """A comparison with everything that a page draws."""
    return xentcli.compare(
        DIGITS / "logits.npy", DIGITS / other, DIGITS / "labels.npy",
        by=["class", "confidence", "position"], group=9, floor="bfloat16", max_kl=1e-3, equivalence=0.01,
        expect={"kl": "0.0016"},
    )  # fmt: skip


def page_of(comparison: Comparison) -> str:
    return "".join(map(str, render(comparison, "html", Page(80, color=False))))


def figure_of(root: Element, *words: str) -> Element:
    """The picture whose texts have all of these words."""
    (found,) = [each for each in root.all("figure") if all(word in each.text for word in words)]
    return found


def titles(root: Element) -> list[str]:
    return [each.text for each in root.all("h2")]


def test_the_curve_of_kl_stands_where_the_percentiles_are() -> None:
    """Who reads from the curve how far the worst rows are reads another number than the table's."""
    figure = figure_of(parsed(page_of(compared())), "KL that so many rows stay below")
    known = compared().comparisons[0].statistics["kl"].percentiles
    assert known is not None
    discs = figure.all("circle")[: len(known)]  # before that of the legend
    heights = np.array([float(each.attributes["cy"]) for each in discs])
    values = np.log([each.value for each in known.values()])
    slope, at = np.polyfit(values, heights, 1)
    assert slope < 0.0
    np.testing.assert_allclose(slope * values + at, heights, atol=0.02)
    assert [row.all("td")[0].text for row in figure.all("tr")[1:]] == [
        name if name in {"min", "max"} else f"{name} %" for name in known
    ]
    assert "floor" in [each.text for each in figure.all("th")]
    assert len(figure.all("path")) == 4  # both curves, and both strokes in the legend


def test_the_floor_is_not_drawn_where_there_is_none() -> None:
    """A dashed line without a floor is taken for one."""
    bare = replace(compared().comparisons[0], floor=None)
    figure = figure_of(parsed(page_of(replace(compared(), comparisons=(bare,)))), "KL that so many rows stay below")
    assert "floor" not in figure.text
    assert len(figure.all("path")) == 1


def test_the_loss_stands_within_its_intervals_and_the_margin() -> None:
    """A reader sees an interval on the other side of no difference than it is."""
    figure = figure_of(parsed(page_of(compared())), "Mean loss, other less base", "90 % interval", "95 % interval")
    known = compared().comparisons[0].statistics["loss_difference"]
    (band,) = [each for each in figure.all("rect") if each.attributes["class"] == "band"]
    left, wide = (float(band.attributes[name]) for name in ("x", "width"))
    scale = wide / 0.02  # the band is the margin of 0.01 to both sides
    for mark in figure.all("circle"):
        assert float(mark.attributes["cx"]) == pytest.approx(left + scale * (known.value + 0.01), abs=0.02)
    whiskers = [each for each in figure.all("line") if each.attributes["class"] == "whisker"]
    for line, interval in zip(whiskers, (known.interval, known.interval90), strict=True):
        drawn = [float(line.attributes[name]) for name in ("x1", "x2")]
        assert interval is not None
        assert drawn == pytest.approx([left + scale * (end + 0.01) for end in interval], abs=0.02)


def test_the_four_fields_of_right_and_wrong_are_all_rows() -> None:
    """A row that both sides get wrong is counted as one that neither has."""
    (table,) = [each for each in parsed(page_of(compared("floor.npy"))).all("table") if "other wrong" in each.text]
    logits, other = (np.load(DIGITS / name) for name in ("logits.npy", "floor.npy"))
    labels = np.load(DIGITS / "labels.npy")
    base, moved = (each.argmax(axis=1) == labels for each in (logits, other))
    expected = [[np.sum((base == one) & (moved == two)) for two in (True, False)] for one in (True, False)]
    found = [[int(cell.text) for cell in row.all("td")[1:]] for row in table.all("tr")[1:]]
    assert found == expected


def test_ties_leave_the_four_fields_open() -> None:
    """A page says for sure what the order of equal logits decides."""
    base, other = [[1.0, 1.0], [2.0, 0.0]], [[0.0, 1.0], [2.0, 0.1]]
    root = parsed(page_of(xentcli.compare(base, other, [0, 0])))
    (table,) = [each for each in root.all("table") if "other wrong" in each.text]
    assert [cell.text for cell in table.all("td")] == ["right", "1", "0 to 1", "wrong", "0", "0 to 1"]
    assert "not known" not in table.text


def test_a_row_unfolds_to_both_sides() -> None:
    """One sees that a row moved, and not from what to what."""
    rows = [each for each in parsed(page_of(compared())).of_class("unfold") if "Row " in each.text]
    for element, row in zip(rows, compared().comparisons[0].rows, strict=False):
        summary = element.all("summary")[0].text
        assert summary.startswith(f"Row {row.row}: KL ")
        assert f"label {row.label} costs" in summary
        classes = {top.number for top in (*row.tops_base, *row.tops_other)}
        assert {int(each.all("td")[0].text) for each in element.all("tr")[1:]} == classes
    assert len(rows) == 10


def test_what_is_not_certain_is_not_said_as_if() -> None:
    """The large number on top is one of many that the 16 bits of a base file leave open."""
    assert told(Statistic(0.08412, -math.inf, 0.0842362)) == "at most 0.0842362"
    assert told(Statistic(0.08412, 0.08410, 0.08414)) == "0.0841"
    assert told(Statistic(0.5, 0.5, 0.5)) == "0.5"
    assert told(Statistic(math.nan, math.nan, math.nan)) == "undefined"


def test_one_row_has_no_intervals_and_no_curve() -> None:
    """Half of the page of one row is "-inf to inf"."""
    made = page_of(xentcli.compare([[1.0, 2.0]], [[1.5, 2.0]], [0]))
    assert not re.search(r"\binf\b", re.sub(r"<script.*?</script>", "", made, flags=re.DOTALL))
    assert "KL that so many rows stay below" not in made


def test_identical_sides_have_no_pictures_of_nothing() -> None:
    """Bars of no length, and rows that do not differ, under a heading that says they do."""
    root = parsed(page_of(compared("logits.npy")))
    assert "No part of the rows has any KL." in root.text
    assert "No row changes sides." in root.text
    assert "Rows with the greatest KL" not in titles(root)


def test_positions_are_a_curve_of_all_of_them() -> None:
    """A line from position 3 to position 40 says that nothing was between them."""
    one = compared().comparisons[0]
    part = one.groups["class"][0]
    for count, is_curve in ((64, True), (500, False)):
        parts = tuple(replace(part, name=str(at)) for at in range(count))
        made = parsed(page_of(replace(compared(), comparisons=(replace(one, groups={"position": parts}),))))
        assert any("along the sequence" in each.text for each in made.all("figure")) == is_curve
        assert ("that carry most of 500" in made.text) == (not is_curve)


def renamed(text: str) -> Comparison:
    """A comparison in which every text that comes from a user is this one."""
    found = compared()
    one = found.comparisons[0]
    groups = {
        by: tuple(replace(part, name=text) for part in parts) for by, parts in one.groups.items() if by == "class"
    }
    base, other = (replace(each, path=text, notes=(text,)) for each in (found.base, one.other))
    assert one.floor is not None
    renamed = replace(
        one, name=text, other=other, groups=groups, summary=text, floor=replace(one.floor, name=text),
        findings=(Finding(text, "warning", text, (), text),),
        expectations=(ClaimedStatistic("kl", "0.0016", holds=False, lower=0.0, upper=1.0),),
    )  # fmt: skip
    return replace(
        found, base=base, comparisons=(renamed,), options=found.options | {"floor": text, "group": text},
        settings=(Setting(text, text, text),),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_names_are_texts_whatever_is_in_them(text: str) -> None:
    """The name of somebody else's file runs in the browser of who opens the page, or fills it."""
    made = page_of(renamed(text))
    assert len(made.encode()) <= LARGEST
    assert "\u202e" not in made
    assert not {"script", "svg"} & {each.tag for each in parsed(made).every() if "onload" in each.attributes}
    assert [each.attributes["type"] for each in parsed(made).all("script")] == ["application/json"]
    assert embedded(made)["verdict"] == "fails"
    if len(text) < 100:
        tags = [each.tag for each in parsed(page_of(renamed("plain"))).every()]
        assert [each.tag for each in parsed(made).every()] == tags
    assert shown(renamed(text))


@pytest.mark.parametrize("sides", [1, 30])
def test_many_parts_rows_and_sides_fit_the_page(sides: int) -> None:
    """A page that one cannot send, or that has no room for its numbers."""
    one = compared().comparisons[0]
    part = one.groups["class"][0]
    parts = tuple(replace(part, name=f"{at} name of a class") for at in range(1000 if sides == 1 else 50))
    claim = ClaimedStatistic("kl", "0.0016", holds=True, lower=0.0, upper=1.0)
    large = replace(
        one, groups=dict.fromkeys(("class", "group", "file", "position"), parts), rows=tuple(one.rows) * 1000,
        gates=(), expectations=(claim,) * 300, findings=(Finding("code", "warning", "x" * 500, tuple(range(9))),) * 50,
    )  # fmt: skip
    named = [replace(large, name=f"run/{at}.npy") for at in range(sides)]
    gate = Gate("max-kl", 1e-9, 0.1, 0.1, 0.1, "fails", (1, 2))
    named[-1] = replace(named[-1], gates=(gate,))
    comparison = replace(compared(), comparisons=tuple(named), verdict="fails")
    made = page_of(comparison)
    assert len(made.encode()) <= LARGEST
    content = embedded(made)
    assert [each["name"] for each in content["comparisons"]][-1] == f"run/{sides - 1}.npy"
    root = parsed(made)
    assert "fails" in root.all("h1")[0].text
    if sides > 1:
        (table,) = [each for each in root.all("table") if "loss difference" in each.text]
        said = [row.all("td")[1].text for row in table.all("tr")[1:]]
        assert said.count("fails") == 1
        assert len(said) == min(sides, 20)
    if sides == 30:
        assert "20 of 30 other sides" in root.text


def test_the_page_says_of_which_bytes_and_options_it_is(tmp_path: Path) -> None:
    """Two runs with other files by the same names, or with another setting, have the same page."""
    (tmp_path / "xent.toml").write_text("[compare]\ngroup = '10'\n")
    arguments = (
        "compare",
        str(DIGITS / "logits.npy"),
        str(DIGITS / "int8.npy"),
        "--labels",
        str(DIGITS / "labels.npy"),
    )
    files = ("--report", "html=page.html", "--report", "json=report.json")
    assert xent_here("--config", "xent.toml", *arguments, *files, "-qq", cwd=tmp_path).code == 0
    made = (tmp_path / "page.html").read_text(encoding="utf-8")
    content = embedded(made)
    assert all(
        re.fullmatch("[0-9a-f]{8}", each["crc32"])
        for each in (content["base"], content["labels"], content["comparisons"][0]["other"])
    )
    assert content["settings"] == [{"option": "--group", "value": "10", "source": "xent.toml"}]
    root = parsed(made)
    assert content["base"]["crc32"] in root.text
    assert "--group 10, from xent.toml" in root.text
    assert "crc32" not in xent_here(*arguments, "--json", cwd=tmp_path).out


def test_the_page_is_the_same_however_it_is_computed(tmp_path: Path) -> None:
    """A page under version control changes without a change; opened on a train, it waits for a network."""
    arguments = (
        "compare",
        str(DIGITS / "logits.npy"),
        str(DIGITS / "int4.npy"),
        "--labels",
        str(DIGITS / "labels.npy"),
    )
    runs = (("--threads", "1", "--block-bytes", "4K"), ("--threads", "2"))
    one, two = (xent_here(*arguments, *how, "--by", "class", "-f", "html", cwd=tmp_path).out for how in runs)
    assert one == two
    assert not re.search(r"https?:|url\(|@import", one.replace("url(data:", ""))
    for element in parsed(one).every():
        assert not {"src", "srcset", "action", "data", "style"} & element.attributes.keys()


def test_every_picture_is_told_in_words() -> None:
    """Who does not see it learns nothing of it."""
    for figure in parsed(page_of(compared())).all("figure"):
        (svg,) = figure.all("svg")
        assert svg.attributes["role"] == "img"
        assert len(svg.attributes["aria-label"].split()) > 3
        assert figure.all("td")


def test_a_notebook_shows_several_sides() -> None:
    """A comparison of several models is pages of a dataclass."""
    two = replace(compared(), comparisons=(*compared().comparisons, *compared("int8.npy").comparisons))
    assert "Beside each other" in titles(parsed(two._repr_html_()))
    assert len(repr(two).splitlines()) == 3


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.text(max_size=60), NUMBERS, NUMBERS, NUMBERS), max_size=20), st.floats(0.0, 1e9))
def test_intervals_of_any_numbers(rows: list[tuple[str, float, float, float]], margin: float) -> None:
    """One infinite interval, and none has a place."""
    estimates = [Estimate(name, value, low, high, f"{value:.4g}") for name, value, low, high in rows]
    (svg,) = parsed(str(intervals("t", "l", estimates, NOTHING, across="nats", margin=margin).svg)).all("svg")
    for each in svg.every():
        for name in {"x", "cx", "x1", "x2", "width"} & each.attributes.keys():
            assert -1.0 <= float(each.attributes[name]) <= WIDTH + 1.0


def test_percentiles_of_nothing_but_zeros_have_no_curve() -> None:
    """The logarithm of 0 is no place, and takes the page with it."""
    one = compared().comparisons[0]
    kl = one.statistics["kl"]
    zeros = {name: Percentile(0.0, 0.0, 0.0, (None, None)) for name in kl.percentiles or {}}
    some = zeros | {"max": Percentile(1e-18, 0.0, 1e-17, (None, None))}
    for found, has_curve in ((zeros, False), (some, True)):
        changed = replace(one, floor=None, statistics=one.statistics | {"kl": replace(kl, percentiles=found)})
        made = page_of(replace(compared(), comparisons=(changed,)))
        assert ("KL that so many rows stay below" in made) == has_curve
        assert "NaN" not in made


def test_a_part_without_labels_has_no_loss() -> None:
    """A comparison of divergences alone has no page."""
    one = compared().comparisons[0]
    parts = tuple(replace(part, loss_difference=None) for part in one.groups["class"])
    assert all(isinstance(part, Part) for part in parts)
    found = xentcli.compare(DIGITS / "logits.npy", DIGITS / "int4.npy", by="confidence")
    changed = replace(found.comparisons[0], groups=found.comparisons[0].groups | {"class": parts})
    root = parsed(page_of(replace(found, comparisons=(changed,))))
    assert "Mean loss" not in root.text
    assert {"Agreement", "Differences by class"} <= set(titles(root))
    assert "Right and wrong" not in titles(root)
