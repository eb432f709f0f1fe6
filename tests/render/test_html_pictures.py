"""The pictures of a page: what is drawn stands where its number is, and odd numbers and names spoil nothing."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Element, parsed

from xentcli.render.cells import Grid
from xentcli.render.html.pictures import (
    Bar,
    Bin,
    Cell,
    Hit,
    Line,
    Mark,
    Series,
    band,
    bars,
    curve,
    heat_map,
    histogram,
    reliability,
)
from xentcli.render.html.shapes import WIDTH, Axis

if TYPE_CHECKING:
    from xentcli.render.html.shapes import Picture

NOTHING = Grid(("",), ())
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
NAMES = st.text(max_size=60)
FINITE = re.compile(r"-?[\d.]+(e[+-]?\d+)?")


def svg_of(picture: Picture) -> Element:
    return parsed(str(picture.svg)).all("svg")[0]


def check(picture: Picture) -> None:
    """Every place in it is a number, and within it from the left to the right."""
    root = svg_of(picture)
    _, _, width, height = map(float, root.attributes["viewbox"].split())
    assert width == WIDTH
    assert math.isfinite(height)
    for each in root.every():
        for name in {"x", "y", "cx", "cy", "x1", "x2", "y1", "y2", "width", "height"} & each.attributes.keys():
            assert FINITE.fullmatch(each.attributes[name]), (each.tag, name, each.attributes[name])
            assert -1.0 <= float(each.attributes[name]) <= max(WIDTH, height) + 1.0
        assert not re.search(r"nan|inf", each.attributes.get("d", "") + each.attributes.get("points", ""))


@settings(max_examples=25)
@given(st.lists(st.tuples(NAMES, NUMBERS), max_size=20))
def test_bars_of_any_numbers(rows: list[tuple[str, float]]) -> None:
    """One infinite loss of a class, and no class has a bar."""
    check(bars("t", "l", [Bar(name, value, f"{value:.4g}") for name, value in rows], NOTHING))


@settings(max_examples=25)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20), NUMBERS)
def test_a_curve_through_any_points(points: list[tuple[float, float]], at: float) -> None:
    """The point that has no place takes the whole line with it."""
    series = [Series("a", tuple(points), "steps"), Series("b", tuple(points), "dashed"), Series("c", (), "dots")]
    picture = curve("t", "l", series, across=Axis("x", 0.0, 1.0), up=Axis("y", 1e-9, 1.0, is_log=True), numbers=NOTHING)
    check(picture)
    assert len(svg_of(picture).all("path")) == 2 + 2  # with those of the legend


@settings(max_examples=25)
@given(st.lists(st.tuples(NAMES, st.floats(allow_nan=False)), max_size=4))
def test_marks_however_far_off(marks: list[tuple[str, float]]) -> None:
    """A path that is off by millions of times what is allowed is drawn outside of the page."""
    found = svg_of(band("t", "l", [Mark(name, share, "said") for name, share in marks], NOTHING))
    beyond = [each for each in found.all("polygon") if "beyond" in each.attributes["class"]]
    assert len(beyond) == sum(abs(share) > 1.25 for _, share in marks)
    for each in beyond:
        places = [float(pair.split(",")[0]) for pair in each.attributes["points"].split()]
        assert all(0.0 <= place <= WIDTH for place in places)


def test_a_mark_stands_where_its_share_is() -> None:
    """On the left of the true value, or in the band, where it is not."""
    root = svg_of(band("t", "l", [Mark("a", -1.0, ""), Mark("b", 0.0, "", "square"), Mark("c", 1.0, "")], NOTHING))
    edges = [float(each.attributes["x1"]) for each in root.of_class("edge")]
    (truth,) = (float(each.attributes["x1"]) for each in root.of_class("truth"))
    places = [float(each.attributes["cx"]) for each in root.all("circle")]
    assert places == edges
    assert truth == pytest.approx(sum(edges) / 2)


def test_the_bins_of_a_histogram_stand_beside_each_other() -> None:
    """A gap or an overlap looks like losses that are none."""
    edges = [10.0 ** (at / 4) for at in range(-8, 5)]
    bins = [Bin(low, high, "n", 0.1, 0.2) for low, high in pairwise(edges)]
    lines = [Line("mean", 0.5, spread=0.4), Line("median", 1e-9)]
    picture = histogram(
        "t", "l", bins, across=Axis("x", edges[0], edges[-1], is_log=True), lines=lines, numbers=NOTHING
    )
    check(picture)
    full = svg_of(picture).of_class("full")
    ends = [(float(each.attributes["x"]), float(each.attributes["width"])) for each in full]
    for (left, width), (right, _) in pairwise(ends):
        assert right - (left + width) == pytest.approx(1.5, abs=0.02)


def test_an_honest_model_is_on_the_diagonal() -> None:
    """The points of the diagram, and the line they are held against, have different scales."""
    hits = [Hit(at / 10, at / 10, (0.0, 1.0), 0.1, (at / 10 - 0.05, at / 10 + 0.05)) for at in range(1, 10)]
    picture = reliability("t", "l", hits, NOTHING)
    check(picture)
    (diagonal,) = (each.attributes for each in svg_of(picture).of_class("truth"))
    x1, y1, x2, y2 = (float(diagonal[name]) for name in ("x1", "y1", "x2", "y2"))
    for each in svg_of(picture).all("circle"):
        x, y = float(each.attributes["cx"]), float(each.attributes["cy"])
        assert (y - y1) / (y2 - y1) == pytest.approx((x - x1) / (x2 - x1), abs=1e-3)


@settings(max_examples=25)
@given(st.lists(st.tuples(NAMES, NUMBERS), min_size=1, max_size=8))
def test_a_heat_map_says_by_signs_what_it_says_by_shades(cells: list[tuple[str, float]]) -> None:
    """Who sees no colours, or reads a print in grey, sees fields alone."""
    row = [Cell(fill, name[:2], name) for name, fill in cells]
    picture = heat_map("t", "l", [(name, row) for name, _ in cells], [name for name, _ in cells], NOTHING)
    check(picture)
    fields = svg_of(picture).of_class("field")
    assert len(fields) == len(cells) ** 2
    assert all(0.0 <= float(each.attributes["fill-opacity"]) <= 1.0 for each in fields)
    assert len(svg_of(picture).of_class("sign")) == len(cells) * sum(bool(name[:2]) for name, _ in cells)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0.0, 0.5, 1.0]), (0.0, 4.0, [0, 1, 2, 3, 4]), (-4.0, 0.0, [-4, -3, -2, -1, 0]), (2.0, 2.0, [2.0])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    """An axis of 0.3333333 and 0.6666667 is read by nobody."""
    assert Axis("", low, high).ticks() == expected


def test_ticks_of_a_logarithmic_axis_are_powers_of_ten() -> None:
    """The same, over twelve decades."""
    assert Axis("", 1e-8, 1e4, is_log=True).ticks() == [1e-8, 1e-5, 1e-2, 1e1, 1e4]
    assert Axis("", 0.05, 20.0, is_log=True).ticks() == [0.1, 1.0, 10.0]


def test_a_short_logarithmic_axis_has_ticks() -> None:
    """Four rows have losses between 2 and 5, and a reader cannot tell whether that is 2 or 2,000."""
    assert Axis("", 1.7, 5.7, is_log=True).ticks() == [2.0, 5.0]
    assert Axis("", 0.9, 4.0, is_log=True).ticks() == [1.0, 2.0]
    assert Axis("", 5.5, 9.5, is_log=True).ticks() == [6.0, 7.0, 8.0, 9.0]
    assert Axis("", 3.0, 3.0, is_log=True).ticks() == [3.0]
