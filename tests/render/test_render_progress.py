"""The bar's parts: what they say, and that no width cuts or loses one."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from screen import Screen

from xentcli.records.progress import Progress
from xentcli.render.progress import GAP, Bar, columns, flowed, words

WORK = Progress("computing", 4_000, 16_000, bytes=10**9, found=lambda: "mean 14.8583564990698")
CASES = {
    "at work": (WORK, 2.0, [" 4,000 of 16,000 rows", "500.0 MB/s", "0:00:06 left", "mean 14.8583564990698"]),
    "quick": (Progress("computing", 1, 2, bytes=3 * 10**9), 2.0, ["1 of 2 rows", "1.5 GB/s", "0:00:02 left"]),
    "slow": (Progress("computing", 1, 4, bytes=400_000), 4000.0, ["1 of 4 rows", "0.1 kB/s", "3:20:00 left"]),
    "just begun": (Progress("computing", 0, 5), 0.0, ["0 of 5 rows", "0:00:00 so far"]),
    "no clock yet": (Progress("computing", 5, 5, bytes=7), 0.0, ["5 of 5 rows", "0:00:00 left"]),
    "no amount": (Progress("drawing the data"), 75.0, ["0:01:15 so far"]),
    "no total": (Progress("reading", 1_500, unit="lines"), 3.0, ["1,500 lines", "0:00:03 so far"]),
}


@pytest.mark.parametrize(("progress", "seconds", "said"), CASES.values(), ids=CASES)
def test_what_issaid(progress: Progress, seconds: float, said: list[str]) -> None:
    """Whoever decides by them whether to wait for the end needs right numbers, and none where none is known."""
    assert [word for word in words(progress, seconds) if word] == said


@given(st.lists(st.text("ab ", min_size=1, max_size=30).map(Text), min_size=1), st.integers(1, 100))
def test_no_width_breaks_a_part(parts: list[Text], width: int) -> None:
    """A loss that lost its last digits to a narrow window is another loss."""
    lines = flowed(parts, width)
    assert [part for line in lines for part in line] == parts
    widths = [sum(map(columns, line)) + GAP * (len(line) - 1) for line in lines]
    assert all(size <= width or len(line) == 1 for size, line in zip(widths, lines, strict=True))
    for size, line, following in zip(widths, lines, lines[1:], strict=False):
        assert size + GAP + columns(following[0]) > width, line  # else it had room there


@given(st.lists(st.integers(31, 200), min_size=1, max_size=5), st.booleans())
def test_each_drawing_takes_the_place_of_the_last(widths: list[int], color: bool) -> None:
    """A terminal full of old bars tells nobody anything; parts come and go, and so do lines."""
    stream = io.StringIO()
    bar, screen = Bar(stream, color=color), Screen(max(widths))
    for number, width in enumerate(widths):
        progress = Progress("computing" * (1 + number % 2), 4_000, 16_000, bytes=10**9 * (number % 3), found=WORK.found)
        bar.show(progress, 2.0, width)
        screen.feed(printed(stream))
        seen = screen.text().replace("\n", " ").split()
        assert [word for word in seen if "━" not in word] == said(progress)
    bar.close()
    screen.feed(printed(stream))
    assert (screen.text(), screen.column, screen.row, screen.cursor, screen.wrapped) == ("", 0, 0, True, 0)


def printed(stream: io.StringIO) -> str:
    """What was printed since the last time, as a terminal gets it."""
    text = stream.getvalue().replace("\n", "\r\n")
    stream.seek(stream.truncate(0))
    return text


def said(progress: Progress) -> list[str]:
    return " ".join([progress.doing, *words(progress, 2.0)]).split()
