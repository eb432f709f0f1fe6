"""The benchmark itself: that it compares what it says, in turn, and leaves nothing behind."""

from __future__ import annotations

import runpy
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch
from xml.etree import ElementTree

import numpy as np
import pytest
from chances import counted, judged, measured, problems
from chart import MARGIN, linear_ticks, log_ticks, picture
from children import SCRIPTS, run
from click.testing import CliRunner
from compare import Stage, compare, main
from contestants import Contestant
from hypothesis import given
from hypothesis import strategies as st
from inputs import Shape, check_space, made, paired
from markdown import BEGIN, END, into, section, table
from race import Spread, race
from scaling import Curve, Point, over_classes, over_logits, over_threads, slope
from sizes import Sizes

from xentcli.question.claims import Claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TINY = Sizes(
    wide=Shape(64, 100),
    tall=Shape(2000, 3),
    text=Shape(50, 4, is_text=True),
    pair=Shape(70, 5),
    enclosures=((20, 10),),
    sweeps=(over_logits([400], 2), over_classes([4], 100), over_threads(Shape(10, 4))),
)
KINDS = ("wide", "text", "pair", "enclosure", "scaling")
SIZES = st.floats(1e-3, 1e9)


def silent(_: str) -> None:
    """Nobody is told."""


def printing(name: str, seconds: float, appetite: float = 1.0, needs: tuple[str, ...] = ()) -> Contestant:
    """A contestant that says how long it took."""
    arguments = ("-c", f"print({seconds})")
    return Contestant(name=name, arguments=arguments, times_itself=True, appetite=appetite, needs=needs)


def test_ratios_are_those_of_the_same_round() -> None:
    """A share of the wrong contestant's time, or its inverse, would be believed."""
    result = race("race", [printing("first", 2.0), printing("second", 0.5)], 3, 0, silent)
    assert [each.ratio for each in result.standings] == [Spread(1.0, 1.0, 1.0), Spread(0.25, 0.25, 0.25)]
    assert [each.seconds for each in result.standings] == [2.0, 0.5]


def test_everybody_runs_in_turn(tmp_path: Path) -> None:
    """All of one and then all of the other would compare two states of the machine."""
    log = tmp_path / "log"
    runners = [
        Contestant(name=name, arguments=("-c", f"open({str(log)!r}, 'a').write({name!r})")) for name in ("a", "b")
    ]
    race("race", runners, 3, 0, silent)
    assert log.read_text() == "ababab"


def test_the_peak_is_the_childs() -> None:
    """Memory that a contestant held for a moment only counts as well."""
    assert run(("-c", "held = b'x' * (200 << 20); del held")).peak > 200 << 20


def test_a_contestant_that_fails_is_no_time() -> None:
    """Somebody who crashes at once must not win."""
    with pytest.raises(RuntimeError, match="ended with 3:\nno more"):
        run(("-c", "print('no more'); raise SystemExit(3)"))


def test_who_cannot_run_is_told_in_words() -> None:
    """A contestant that is missing without a word looks as if it had been left out for its speed."""
    absent = [printing("greedy", 1.0, appetite=1e15), printing("rare", 1.0, needs=("no_such_package",))]
    result = race("race", [printing("first", 1.0), *absent], 1, 1000, silent)
    assert [each.name for each in result.standings] == ["first"]
    assert result.absent[0].startswith("greedy: takes about 1000000000 GB of the ")
    assert result.absent[1] == "rare: no_such_package not installed"
    assert "Not run: greedy: takes" in section(result, goals=False)
    heads = [section(result, goals=goals).splitlines()[2] for goals in (True, False)]
    assert [head.endswith(" goal |") for head in heads] == [True, False]


@pytest.mark.parametrize("shape", [Shape(7, 3), Shape(1_500_000, 2), Shape(2500, 3, is_text=True)])
def test_the_files_are_what_was_asked_for(shape: Shape, tmp_path: Path) -> None:
    """Both sides of a piece of the array, and of the rows of CSV that come again; and nothing stays on the disk."""
    with made(shape, tmp_path) as files:
        logits = np.loadtxt(files.logits, delimiter=",") if shape.is_text else np.load(files.logits)
        labels = np.load(files.labels)
        assert sum(path.stat().st_size for path in files.both) <= shape.most_bytes
    assert logits.shape == (shape.rows, shape.classes)
    assert labels.shape == (shape.rows,)
    assert set(np.unique(labels)) <= set(range(shape.classes))
    assert 2.5 < logits.std() < 3.5 or shape.values < 100
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_noticed_first(tmp_path: Path) -> None:
    """After minutes of writing it would be too late, and everybody else's disk full."""
    with pytest.raises(OSError, match="GB free, and the data take 1152921504"):
        check_space(tmp_path, 1 << 60)


@pytest.mark.parametrize("name", ["plain", "cross_entropy", "scipy_logsumexp", "sklearn_log_loss"])
def test_contestants_compute_the_loss(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who computes something else takes part in another race."""
    with made(Shape(40, 7), tmp_path) as files:
        with patch.object(sys, "argv", [name, *map(str, files.both)]):
            runpy.run_path(str(SCRIPTS / f"{name}.py"))
        logits, labels = np.load(files.logits).astype(np.float64), np.load(files.labels)
    expected = (np.log(np.exp(logits).sum(1)) - logits[np.arange(40), labels]).mean()
    printed = [float(line) for line in capsys.readouterr().out.split()]
    assert printed == pytest.approx([expected] * len(printed), rel=1e-5)
    assert printed


@pytest.mark.parametrize("name", ["llama_kl", "torch_kl_div"])
def test_contestants_compute_the_divergence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both losses and KL(base‖other), or what `xent compare` is held against is less work."""
    with paired(Shape(700, 7), tmp_path) as files:
        with patch.object(sys, "argv", [name, *map(str, files.pair)]):
            runpy.run_path(str(SCRIPTS / f"{name}.py"))
        base, other, labels = (np.load(path) for path in files.pair)
    p, q = (each - np.log(np.exp(each).sum(1, keepdims=True)) for each in (base.astype(float), other.astype(float)))
    losses = [-each[np.arange(700), labels].mean() for each in (p, q)]
    expected = [*losses, (np.exp(p) * (p - q)).sum(1).mean()]
    assert [float(word) for word in capsys.readouterr().out.split()] == pytest.approx(expected, rel=1e-4)
    assert 0.0 < expected[2] < 0.01
    assert not list(tmp_path.iterdir())


@given(st.floats(-3, 3), st.floats(0.1, 10))
def test_slope_of_a_power_law(power: float, factor: float) -> None:
    """The exponent, whatever the machine's speed."""
    points = [Point(x, factor * float(x) ** power, 0) for x in (1, 7, 100, 12_345)]
    assert slope(points) == pytest.approx(power, abs=1e-9)


@given(SIZES, SIZES)
def test_ticks_are_within_the_panel(low: float, high: float) -> None:
    """A tick outside would be drawn into the next panel."""
    low, high = min(low, high) / MARGIN, max(low, high) * MARGIN
    assert all(low <= tick <= high for tick in log_ticks(low, high))
    assert log_ticks(low, high)
    assert 2 <= len(linear_ticks(high)) <= 6
    assert linear_ticks(high)[-1] <= high


def test_the_picture_has_every_point() -> None:
    """Well-formed, each point in the time and in the memory panel, and within the frame."""
    curves = [
        Curve("all & more", "logits", (Point(10, 0.1, 1 << 28), Point(1000, 3.0, 1 << 29), Point(10**6, 40.0, 1)))
    ]
    root = ElementTree.fromstring(picture(curves))
    circles = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert len(circles) == 2 * 3
    assert all(0 <= float(each.attrib["cx"]) <= width and 0 <= float(each.attrib["cy"]) <= height for each in circles)


def test_results_take_their_place_in_the_page() -> None:
    """Put in twice they are there once, and a page without a place is left alone."""
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    once = into(page, "new")
    assert once == f"above\n{BEGIN}\nnew\n{END}\nbelow\n" == into(once, "new")
    for broken in ("", BEGIN, END):
        with pytest.raises(ValueError, match="no place for the results"):
            into(broken, "new")


def test_columns_are_aligned() -> None:
    """The table is read in a terminal as well."""
    lines = table([("", "time"), ("`xent`", "0.35"), ("x", "12.00")])
    assert lines == ["|        |  time |", "| ------ | ----: |", "| `xent` |  0.35 |", "| x      | 12.00 |"]


@pytest.mark.parametrize("other", [["--quick"], ["--only", "text"]])
def test_the_page_shows_full_results_only(other: list[str]) -> None:
    """A quick try must not overwrite what the README tells the reader."""
    result = CliRunner().invoke(main, ["--save", *other])
    assert result.exit_code == 2
    assert "--save shows all parts in full size" in result.output


@pytest.mark.slow
def test_the_parts_run(tmp_path: Path) -> None:
    """A part of each kind on tiny data: real ones take minutes, after which nothing should fail."""
    shown: list[str] = []
    show: Callable[[str], object] = shown.append
    page, svg = compare(TINY, KINDS, Stage(1, tmp_path, silent), show)
    assert page.count("| `xent compute` ") == 2
    assert page.count("| `xent compare` ") == 1
    assert "**64 × 100 float32 `.npy`" in page
    assert len(shown) == 4 + len(TINY.sweeps)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert not list(tmp_path.iterdir())


def test_a_part_without_a_device_says_so(tmp_path: Path) -> None:
    """Else nobody sees that the part did not run."""
    shown: list[str] = []
    show: Callable[[str], object] = shown.append
    with patch("compare.run"), patch("compare.has_device", lambda: False):
        compare(TINY, ("gpu",), Stage(1, tmp_path, silent), show)
    assert shown == ["**On a CUDA device.** Not run: torch finds none here.\n"]


def test_a_random_claim_of_few_digits_has_no_cause_and_of_more_seldom_one() -> None:
    """An explanation that is found for any number explains nothing; and what holds is no chance."""
    name, problem = next(problems())
    given = measured(name, problem)
    counts = {digits: counted(given, digits, 60, 0) for digits in (2, 3, 4)}
    assert [counts[digits].explained for digits in (2, 4)] == [0, 0]
    assert counts[3].explained <= 10
    assert 0.0 < counts[4].stated < counts[3].stated < 0.15 * 60
    assert judged(given, Claim.parse(f"{given.truth:.5f}")).explained == 0


def test_a_mistake_is_not_taken_for_a_chance() -> None:
    """The measure would be as good if nothing were ever explained."""
    name, problem = next(problems())
    given = measured(name, problem)
    assert judged(given, Claim.parse(f"{given.truth * given.samples:.5f}")).explained == 1
