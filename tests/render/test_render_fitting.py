"""Narrow pages: whole columns fall away, those first that are missed least, and no row is broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xentcli.render.cells import Grid
from xentcli.render.drawing import draw, entries, fitted_table
from xentcli.render.fitting import FALLING, fitted, grid_width
from xentcli.render.page import Page

NAMES = st.sampled_from(("row", "label", "library", "true loss", "value", *FALLING))
CELLS = st.text("0123456789.e-", max_size=14)


@st.composite
def grids(draw_from: st.DrawFn) -> Grid:
    head = tuple(draw_from(st.lists(NAMES, min_size=2, max_size=8)))
    rows = draw_from(st.lists(st.tuples(*(CELLS for _ in head)), max_size=4))
    return Grid(head, tuple(rows))


@given(grids(), st.integers(1, 100))
def test_what_stays_is_as_it_was(grid: Grid, width: int) -> None:
    """A number is cut, a column stands under another's name, or the first one, that says which row, is gone."""
    kept = fitted(grid, width)
    assert kept.head[0] == grid.head[0]
    assert grid_width(kept, 1) <= width or len(kept.head) <= 2
    if grid_width(grid, 1) <= width:
        assert kept == grid
    columns = list(zip(grid.head, *grid.rows, strict=True))
    for column in zip(kept.head, *(row for row in kept.rows), strict=True):
        assert any(set(column) <= set(each) and column[0] == each[0] for each in columns)


def test_columns_fall_in_the_order_of_their_worth() -> None:
    """The loss falls away, and the format stays."""
    grid = Grid(("row", "format", "library", "difference"), (("1", "npy", "0.25", "1e-08"),))
    assert fitted(grid, 22).head == ("row", "library", "difference")
    assert fitted(grid, 12).head == ("row", "library")
    assert fitted(grid, 3).head == ("row", "library")


def test_a_row_that_says_nothing_more_goes_with_its_columns() -> None:
    """A narrow table ends with rows of nothing; a heading among its rows stays."""
    grid = Grid(("step", "why", "loss"), (("both", "", ""), ("sum", "all of it", ""), ("log", "of it", "0.5")))
    assert fitted(grid, 10) == Grid(("step", "loss"), (("both", ""), ("log", "0.5")))


def test_what_is_copied_stands_on_a_line_of_its_own() -> None:
    """A command that is broken in two runs as two when it is pasted."""
    command = "xent explain a/long/path/logits.npy a/long/path/labels.npy --row 3"
    for width in (20, 40, 80):
        assert command in "\n".join(_drawn([("hardest", "row 3"), ("see", command)], width)).replace("see ", "\n")
        assert any(line.endswith(command) for line in _drawn([("hardest", "row 3"), ("see", command)], width))
    digits = "0." + "7" * 30
    assert digits in _drawn([("perplexity", "1.5"), ("truth", digits)], 34)[-1]


def _drawn(said: list[tuple[str, str]], width: int) -> list[str]:
    return draw([[*entries(said, width)]], Page(width, color=False)).splitlines()


def test_a_stream_of_ascii_gets_ascii() -> None:
    """A rule of a table is eighty escapes in a row."""
    grid = Grid(("input", "shape"), (("logits", "4 × 10"),))
    text = draw([[fitted_table(grid, (), lambda *_: "", 40)]], Page(40, color=False, plain=True))
    assert text.isascii()
    assert "-------" in text
    assert "4 x 10" in text
