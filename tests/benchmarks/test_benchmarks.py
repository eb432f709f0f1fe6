"""The benchmark itself: that it compares what it says, in turn, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import runpy
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch
from xml.etree import ElementTree

import numpy as np
import pytest
from chances import counted, judged, measured, problems
from chart import MARGIN, linear_ticks, log_ticks, picture
from children import SCRIPTS, StillCachedError, drop, run, run_cold
from click.testing import CliRunner
from company import Moment
from compare import PAGE, compare, main
from contestants import Contestant
from contestants import jobs as real_jobs
from contestants import reading as reading_alone
from hypothesis import given
from hypothesis import strategies as st
from inputs import Files, Shape, check_space, made, paired
from markdown import BEGIN, END, TITLE, into, placed, table
from parts import KEPT, PARTS, Stage, sections
from race import Result, Setting, Spread, Standing, race
from scaling import Curve, Point, Sweep, over_classes, over_logits, over_threads, slope
from sections import Compared, conditions, of_jobs, of_race, of_threads
from sizes import FULL, QUICK, Sizes

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
    threads=(over_threads(Shape(10, 4)), over_threads(Shape(40, 2))),
    jobs=(Shape(30, 4), Shape(50, 4, is_text=True)),
    sweeps=(over_logits([400], 2), over_classes([4], 100), over_threads(Shape(10, 4))),
)
KINDS = ("wide", "text", "pair", "threads", "jobs", "enclosure", "scaling")
QUIET = Setting(3, 0.0)
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
    section = of_race(result)
    assert "Not run: greedy: takes" in section.kept
    heads = [text.splitlines()[2] for text in (section.shown, section.kept)]
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
    points = [Point(x, (factor * float(x) ** power,), 0) for x in (1, 7, 100, 12_345)]
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
    points = (Point(10, (0.1,), 1 << 28), Point(1000, (3.0,), 1 << 29), Point(10**6, (40.0,), 1))
    curves = [Curve("all & more", "logits", points, QUIET)]
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
        with pytest.raises(ValueError, match="no place for the results"):
            placed(broken, [])


def test_a_section_takes_the_place_of_its_own_title_alone() -> None:
    """What was measured in a quiet hour must not go, or move, when another part is measured again."""
    first, second = "**`a.npy`, 2.1 GB.** Old.\n\n| x |\n| - |\n\nNot run: **b**.", "**`a.npy`, 0.1 GB.** Kept."
    page = f"above\n{BEGIN}\nlead\n\n{first}\n\n{second}\n{END}\nbelow\n"
    changed = placed(page, ["**new.** Last.", "**`a.npy`, 2.1 GB.** New."])
    assert changed == page.replace(first, "**`a.npy`, 2.1 GB.** New.").replace(second, f"{second}\n\n**new.** Last.")
    assert placed(page, []) == page
    assert placed(f"{BEGIN}\n{END}", [second]) == f"{BEGIN}\n{second}\n{END}"


def test_a_section_says_what_it_was_measured_under() -> None:
    """Sections of other days, machines and rounds stand side by side, and one sentence for all would be untrue."""
    warm, cold = conditions(Setting(3, 0.004)), conditions(Setting(1, 0.2, is_cold=True))
    assert warm.startswith("Medians of 3 interleaved runs on ")
    assert "page cache warm, while others took 0 % of the cores." in warm
    assert cold.startswith("One run on ")
    assert "the files dropped from the page cache before each, while others took 20 % of the cores." in cold
    result = race("race", [printing("first", 2.0)], 1, 0, silent)
    assert "**race.** Times are shares of the first line's, which took 2.0 s. One run on " in of_race(result).kept


def test_others_are_those_who_are_not_ours() -> None:
    """A busy machine must not pass for a quiet one, nor the contestants themselves for others."""
    cores = 4
    with patch("os.cpu_count", lambda: cores):
        assert Moment(12.0, 109.0, 55.0).others_since(Moment(2.0, 100.0, 50.0)) == pytest.approx(4 / (10 * cores))
        assert Moment(12.0, 104.0, 55.0).others_since(Moment(2.0, 100.0, 50.0)) == 0.0
    before = Moment.now()
    run(("-c", "import time\nwhile time.process_time() < 0.3: pass"))
    after = Moment.now()
    assert after.own - before.own > 0.29
    assert after.processors - before.processors > 0.25  # it ticks a hundred times a second


def test_a_run_that_finds_its_files_in_memory_is_not_cold(tmp_path: Path) -> None:
    """On a file system that keeps its files in memory, the disk's time would be said to be none."""
    path = tmp_path / "file"
    path.write_bytes(bytes(16 << 20))
    reading = ("-c", f"open({str(path)!r}, 'rb').read()")
    with patch("children.drop"), pytest.raises(StillCachedError, match=r" of 0\.017 GB came from the disk"):
        run_cold(reading, (path,))
    with patch("children.drop"), patch("contestants.cold", lambda files: [reading_alone(files)]):
        (refusal,) = sections("cold", replace(TINY, wide=Shape(4096, 1000)), Stage(1, tmp_path, silent))
    assert refusal.kept == ""
    assert " of 0.016 GB came from the disk" in refusal.shown
    assert "`--folder DIRECTORY` puts them on another disk" in refusal.shown


def test_dropped_files_come_from_the_disk(tmp_path: Path) -> None:
    """Written a moment ago, they would stay in memory unless they are written out first."""
    path = tmp_path / "file"
    path.write_bytes(bytes(16 << 20))
    reading = ("-c", f"print(len(open({str(path)!r}, 'rb').read()))")
    try:
        ended = run_cold(reading, (path,))
    except StillCachedError:
        pytest.skip("this file system keeps files in memory")
    assert ended.fetched >= 16 << 20
    assert run(reading).fetched < 16 << 20
    drop([path])
    assert run(reading).fetched >= 16 << 20


def test_efficiency_is_that_of_the_same_round() -> None:
    """Two threads that take half of the time are worth two, however fast the machine is in that round."""
    points = (Point(1, (2.0, 8.0, 3.0), 0), Point(2, (1.0, 4.0, 3.0), 1 << 20))
    curve = Curve("7 × 3 float32 `.npy`", "threads", points, QUIET)
    assert curve.efficiencies == (Spread(1.0, 1.0, 1.0), Spread(1.0, 0.75, 1.0))
    section = of_threads(curve, 0.85)
    assert "| 2       | 3.0 s |       1.00 | 0.75 to 1.00 |       1 MiB |" in section.kept
    assert section.shown == f"{section.kept}\n\nGoal: 0.85."


def test_curves_that_two_parts_ask_for_are_measured_once(tmp_path: Path) -> None:
    """Twice would take twice as long, and the page and its picture would differ."""
    asked: list[str] = []
    points = (Point(1, (2.0,), 0), Point(2, (1.0,), 0))

    def measured_curve(sweep: Sweep, *_: object) -> Curve:
        asked.append(sweep.title)
        return Curve(sweep.title, "threads", points, QUIET)

    with patch("parts.curve", measured_curve):
        stage = Stage(1, tmp_path, silent)
        sections("threads", FULL, stage)
        for sweep in FULL.sweeps:
            stage.curve(sweep)
    assert sorted(asked) == sorted({sweep.title for sweep in (*FULL.threads, *FULL.sweeps)})


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([1.4, 1.1, 1.0], "at none of these sizes"),
        ([1.4, 0.9, 0.8], "from 2 GB on"),
        ([0.9, 1.1, 0.8], "from 3 GB on"),
        ([0.9, 0.9, 1.1], "at none of these sizes"),
    ],
)
def test_processes_win_from_where_they_lose_no_more(ratios: list[float], said: str) -> None:
    """A size at which they win by chance, below one at which they lose, is no advice."""
    races = [Compared("CSV", _jobs(size, ratio)) for size, ratio in enumerate(ratios, 1)]
    races += [Compared("float32 `.npy`", _jobs(1, 0.5))]
    kept = of_jobs(races).kept
    assert kept.endswith(f"\n\nProcesses win: CSV {said}; float32 `.npy` from 1 GB on.")
    assert f"|   2.0 s |      {ratios[0]:.2f} |" in kept
    assert "while others took 30 % of the cores" in kept  # the worst of all


def test_processes_are_as_many_as_cores_on_files_of_each_kind(tmp_path: Path) -> None:
    """Fewer would be no match for the threads, and text is the kind on which processes may win."""
    threads, processes = real_jobs(Files(tmp_path / "a.npy", tmp_path / "b.npy"))
    assert processes.arguments == (*threads.arguments, "--jobs", str(os.cpu_count()))
    runners = [printing("threads", 2.0), printing("processes", 1.0)]
    with patch("contestants.jobs", lambda _: runners):
        (section,) = sections("jobs", TINY, Stage(1, tmp_path, silent))
    assert section.kept.count("|   2.0 s |      0.50 |") == len(TINY.jobs)
    assert "float32 `.npy` from " in section.kept
    assert "CSV from " in section.kept
    assert not list(tmp_path.iterdir())


def _jobs(size: int, ratio: float) -> Result:
    """Threads and processes on a file of so many GB."""
    threads = Standing("threads", 2.0, Spread(1.0, 1.0, 1.0), None, 0)
    processes = Standing("processes", 2.0 * ratio, Spread(ratio, ratio, ratio), None, 0)
    return Result(f"{size} GB", (threads, processes), (), Setting(3, 0.1 * size), size * 10**9)


@pytest.mark.parametrize("sizes", [FULL, QUICK, TINY])
def test_the_disk_has_room_for_every_part(sizes: Sizes) -> None:
    """A part whose files were forgotten would fill the disk after an hour of others."""
    stored = [
        sizes.wide,
        sizes.tall,
        sizes.text,
        *sizes.jobs,
        *(job.shape for each in sizes.threads for job in each.jobs),
    ]
    assert sizes.most_bytes >= max(shape.most_bytes for shape in stored)
    huge = Shape(1 << 24, 1000)
    assert replace(sizes, jobs=(huge,)).most_bytes == huge.most_bytes
    assert replace(sizes, threads=(over_threads(huge), sizes.threads[1])).most_bytes == huge.most_bytes


def test_columns_are_aligned() -> None:
    """The table is read in a terminal as well."""
    lines = table([("", "time"), ("`xent`", "0.35"), ("x", "12.00")])
    assert lines == ["|        |  time |", "| ------ | ----: |", "| `xent` |  0.35 |", "| x      | 12.00 |"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (["--quick"], "--save shows full sizes: it does not go with --quick"),
        (["--only", "text", "--only", "gpu"], "--save has no place for gpu: the page shows wide, "),
    ],
)
def test_the_page_shows_full_results_only(other: list[str], why: str) -> None:
    """A quick try must not overwrite what the README tells the reader, and nobody waits for what is thrown away."""
    with patch("compare.compare", side_effect=AssertionError):
        result = CliRunner().invoke(main, ["--save", *other])
    assert result.exit_code == 2
    assert why in " ".join(result.output.replace("│", "").split())


def test_parts_are_saved_alone(tmp_path: Path) -> None:
    """Who measures one part in a quiet hour keeps all the others, and the picture."""
    page, svg = tmp_path / "page.md", tmp_path / "picture.svg"
    page.write_text(f"{BEGIN}\n**a.** Old.\n{END}")
    svg.write_text("old")
    places = patch.multiple("compare", PAGE=page, PICTURE=svg)
    with places, patch("compare.compare", lambda *_: (["**b.** New."], None)):
        assert CliRunner().invoke(main, ["--save", "--only", "wide"]).exit_code == 0
    assert page.read_text() == f"{BEGIN}\n**a.** Old.\n\n**b.** New.\n{END}"
    assert svg.read_text() == "old"
    before = page.read_text()
    with places, patch("compare.compare", lambda *_: ([], "new")):
        assert CliRunner().invoke(main, ["--save", "--only", "scaling"]).exit_code == 0
    assert (page.read_text(), svg.read_text()) == (before, "new")


def test_the_page_tells_every_option_and_part() -> None:
    """What the table leaves out is not found; and each section tells its own conditions."""
    page = PAGE.read_text()
    options = {option for parameter in main.params for option in parameter.opts}
    rows = re.findall(r"^\| `(--\w+)[^|]*\| (.*) \|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == options
    assert re.findall(r"`(\w+)`", dict(rows)["--only"]) == list(PARTS)
    results = page.partition(BEGIN)[2].partition(END)[0]
    titles = TITLE.findall(results)
    assert len(titles) == len(set(titles)) >= 6
    assert len(re.findall(r"[Mm]edians of \d+ interleaved runs on \d+ cores", results)) == len(titles)
    assert set(KEPT) <= set(PARTS)


@pytest.mark.slow
def test_the_parts_run(tmp_path: Path) -> None:
    """A part of each kind on tiny data: real ones take minutes, after which nothing should fail."""
    shown: list[str] = []
    show: Callable[[str], object] = shown.append
    kept, svg = compare(TINY, KINDS, Stage(1, tmp_path, silent), show)
    page = "\n\n".join(kept)
    assert page.count("| `xent compute` ") == 2
    assert page.count("| `xent compare` ") == 1
    assert "**64 × 100 float32 `.npy`" in page
    assert page.count("**Threads on ") == 2
    assert page.count("Processes win: ") == 1
    assert len(shown) == 7 + len(TINY.sweeps)
    assert ElementTree.fromstring(str(svg)).tag.endswith("svg")
    assert not list(tmp_path.iterdir())


def test_a_part_without_a_device_says_so(tmp_path: Path) -> None:
    """Else nobody sees that the part did not run."""
    shown: list[str] = []
    show: Callable[[str], object] = shown.append
    with patch("compare.run"), patch("parts.has_device", lambda: False):
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
