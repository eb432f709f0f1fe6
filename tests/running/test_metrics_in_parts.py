"""Metrics in parts: however the rows are shared out, saved, sent and merged, the report is that of one run."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import threading
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elsewhere import dask, sent_crew
from hypothesis import given, settings
from hypothesis import strategies as st
from process import is_one_error, xent, xent_here

import xentcli
from xentcli.errors import InputError
from xentcli.measuring.predictions import COLUMNS
from xentcli.numbers.checksum import Checksum
from xentcli.numbers.wholes import Wholes
from xentcli.question.grouping import BYS, Grouping
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.question.share import RowRange, Share
from xentcli.running.engine import measure_rows, run
from xentcli.running.merging import merged
from xentcli.running.opening import Elsewhere
from xentcli.running.partial import Asked, Partial
from xentcli.running.reading import read_partial
from xentcli.sources.memory import from_memory
from xentcli.sources.named import NamedInputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from process import Ended

SCALE = Path(xentcli.__file__).parent / "docs" / "scale.md"
KILLED = (sys.executable, str(Path(__file__).parents[1] / "killed.py"))
G = np.random.default_rng(19)
SHAPE = (12, 10, 5)  # sequences, positions, classes
LOGITS = np.round(G.standard_normal(SHAPE) * 2, 1).astype(np.float32)  # rounded, so that some are ties
LABELS = np.where(G.random(SHAPE[:2]) < 0.1, -100, G.integers(5, size=SHAPE[:2]))
FILES = ("logits.npy", "labels.npy", "--class-axis", "-1")
WHOLE = Share(1, 1)
EVERY_PART = tuple(word for by in BYS for word in ("--by", by))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "logits.npy", LOGITS)
    np.save(tmp_path / "labels.npy", LABELS)
    (tmp_path / "ids.csv").write_text("source\n" + "".join(f"text-{row % 7}\n" for row in range(120)))
    sizes = G.integers(0, 9, 120)
    sizes[:24] = 0  # a share of five has none
    np.save(tmp_path / "bytes.npy", sizes)
    return tmp_path


def compute(*arguments: str, cwd: Path) -> Ended:
    return xent_here("compute", *FILES, *arguments, cwd=cwd)


def shards(count: int, cwd: Path, *options: str) -> list[str]:
    """The names of the partials of all shares, which go by without a word."""
    names = [f"{number}.part" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        ended = compute("--shard", f"{number}/{count}", "--partial", name, "-qq", *options, cwd=cwd)
        assert ended == type(ended)(0, "", ""), ended
    return names


def as_merged(report: str) -> str:
    return report.replace('"command": "compute"', '"command": "merge"')


ASKED = {
    "the metrics": (2, ("--metrics",)),
    "all parts": (5, (*EVERY_PART, "--group", "ids.csv", "--bytes", "bytes.npy", "--worst", "3", "--rows", "2")),
    "rows that follow each other": (3, (*EVERY_PART[:2], "--by", "group", "--group", "7", "--bytes", "1000")),
    "an axis": (4, ("--group", "axis:0", "--label-smoothing", "0.1", "--bytes", "bytes.npy")),
    "one share": (1, ("--worst", "0", "--by", "class")),
}


@pytest.mark.parametrize("case", ASKED)
def test_shards_are_one_run(case: str, folder: Path) -> None:
    """Whatever the order and the blocks, in one step or in two: a metric is of all rows, or it is another number."""
    count, options = ASKED[case]
    names = shards(count, folder, *options, "--block-bytes", "100")
    shuffled = random.Random(case).sample(names, count)
    for form in ("json", "table", "csv"):
        whole = compute("--partial", "whole", "-f", form, *options, cwd=folder)
        assert xent_here("merge", *shuffled, "-f", form, cwd=folder).out == as_merged(whole.out)
    found = json.loads(compute(*options, "--json", cwd=folder).out)
    together = json.loads(xent_here("merge", *shuffled, "--json", cwd=folder).out)
    best = {"temperature", "nll_tempered", "ece_tempered"}  # takes the logits again
    assert together["metrics"] == {name: each for name, each in found["metrics"].items() if name not in best}
    assert [together.get(name) for name in ("groups", "grouped", "worst")] == [
        found.get(name) for name in ("groups", "grouped", "worst")
    ]
    halves = {f"half-{number}": half for number, half in enumerate((names[: count // 2], names[count // 2 :])) if half}
    for name, half in halves.items():
        assert xent_here("merge", *half, "--partial", name, "-qq", cwd=folder).code == 0
    assert xent_here("merge", *reversed(halves), "--partial", "all", "-qq", cwd=folder).code == 0
    assert (folder / "all").read_bytes() == (folder / "whole").read_bytes()


def problem_of(logits: Any = LOGITS, labels: Any = LABELS, block_bytes: int = 200, **options: Any) -> Problem:
    arrays = from_memory(logits, "logits.npy"), from_memory(labels, "labels.npy")
    return Problem(*arrays, Options(class_axis=-1, **options), block_bytes, in_parts=True)


def partial_of(problem: Problem, policy: Policy, share: Share = WHOLE) -> Partial:
    rows = share.rows(problem.sample_shape)
    named = NamedInputs("logits.npy", "labels.npy", None, None, -1)
    return Partial.of(Asked.of(problem, policy), named, rows.start, measure_rows(problem, policy, rows))


def content_of(part: Partial) -> bytes:
    return b"".join(part.pieces())


def reread(part: Partial, path: Path) -> Partial:
    path.write_bytes(content_of(part))
    return read_partial(str(path))


POLICIES = [
    Policy(metrics=True),
    Policy(metrics=True, by=("class", "confidence"), worst=2),
    Policy(metrics=True, grouping=Grouping(rows=3), bytes=99),
]


@given(st.integers(1, 25), st.integers(1, 4), st.sampled_from(POLICIES), st.randoms())
@settings(max_examples=12)
def test_any_split_is_one_run(rows: int, classes: int, policy: Policy, draw: Any) -> None:
    """Masks, NaN and ignored rows too: each sum, each column and each list of rows must not know where it was cut."""
    rng = np.random.default_rng(draw.randint(0, 1 << 30))
    logits, labels = rng.normal(0, 3, (rows, classes)).astype(np.float32), rng.integers(0, classes, rows)
    strange = rng.random((rows, classes)) < 0.1
    logits[strange] = rng.choice([-np.inf, np.inf, np.nan, 88.0], strange.sum(), p=[0.5, 0.1, 0.1, 0.3])
    labels[rng.random(rows) < 0.2] = -100
    problem = problem_of(logits, labels, draw.randint(1, 100))
    count = draw.randint(1, rows)
    parts = [(str(number), partial_of(problem, policy, Share(number, count))) for number in range(1, count + 1)]
    draw.shuffle(parts)
    total, whole = merged(parts), partial_of(replace(problem, block_bytes=1 << 20), policy)
    assert content_of(total) == content_of(whole)
    expected = json.dumps(run(problem, policy).to_dict())
    assert json.dumps(total.report("compute").to_dict()) == expected == json.dumps(whole.report("compute").to_dict())


@pytest.mark.parametrize("room", [0, 1 << 20])
def test_a_run_goes_on_where_it_was_ended(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that are done are read from their file, of which the new one takes the place, and go on behind them."""
    monkeypatch.setattr("xentcli.sources.stored.IN_MEMORY", room)
    problem, policy = problem_of(block_bytes=1), POLICIES[1]
    asked, rows = Asked.of(problem, policy), RowRange(30, 120)
    of = partial(Partial.of, asked, NamedInputs("logits.npy", "labels.npy", None, None, -1), 30)
    saved: list[bytes] = []
    whole = measure_rows(problem, policy, rows, journal=lambda facts: saved.append(content_of(of(facts))))
    assert len(saved) == 9
    for moment in (0, 4, 8):
        (tmp_path / "kept").write_bytes(saved[moment])
        begun = read_partial(str(tmp_path / "kept")).facts
        (tmp_path / "kept").unlink()
        assert content_of(of(measure_rows(problem, policy, rows, begun))) == content_of(of(whole)) == saved[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_killed_at_any_moment_loses_and_doubles_nothing(seed: int, folder: Path) -> None:
    """A preempted machine gives no warning."""
    options = ("--by", "class", "--group", "ids.csv", "--bytes", "bytes.npy")
    undisturbed = compute("--partial", "whole", "--json", *options, cwd=folder).out
    arguments = ("compute", *FILES, *options, "--resume", "kept", "--json", "-o", "report.json")
    ended = xent(str(seed), *arguments, cwd=folder, program=KILLED)
    assert ended.code == 0, ended
    assert int(ended.err.split()[-1]) > 2
    assert (folder / "report.json").read_text() == undisturbed
    assert (folder / "kept").read_bytes() == (folder / "whole").read_bytes()


def test_workers_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others computed comes back as bytes, in batches."""
    monkeypatch.setattr("xentcli.running.engine.BATCH_BYTES", 500)
    for policy in POLICIES:
        there = Elsewhere(sent_crew, problem_of)
        here = partial_of(problem_of(), policy)
        rows = RowRange(0, 120)
        facts = measure_rows(problem_of(), policy, rows, elsewhere=there)
        assert content_of(Partial.of(here.asked, here.inputs, 0, facts)) == content_of(here)
        assert run(problem_of(), policy, elsewhere=there).to_dict() == run(problem_of(), policy).to_dict()


@pytest.mark.slow
def test_processes_and_clusters_give_the_same_bytes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Real ones, of which each reads the files by itself."""
    options = (*EVERY_PART, "--group", "ids.csv", "--bytes", "bytes.npy")
    here = compute(*options, "--partial", "here", "--json", cwd=folder)
    with dask(tmp_path_factory.mktemp("dask"), workers=1) as cluster:
        for way in (("--jobs", "2"), ("--cluster", cluster.address)):
            assert compute(*options, *way, "--partial", "there", "--json", cwd=folder) == here
            assert (folder / "there").read_bytes() == (folder / "here").read_bytes()


OTHER_QUESTIONS = {
    "metrics None and worst 5 by ['class'] group rows 7": ((), ("--by", "class", "--group", "7")),
    "metrics.by ['class'] and ['position']": (("--by", "class"), ("--by", "position")),
    "metrics.group None and rows 7": (("--by", "class"), ("--by", "class", "--group", "7")),
    "metrics.worst 5 and 6": (("--metrics",), ("--worst", "6")),
    "metrics.bytes.total 9 and 8": (("--bytes", "9"), ("--bytes", "8")),
    "other numbers in the groups": (("--group", "ids.csv"), ("--group", "others.csv")),
    "other numbers in the bytes": (("--bytes", "bytes.npy"), ("--bytes", "others.npy")),
}


@pytest.mark.parametrize("words", OTHER_QUESTIONS)
def test_partials_that_were_asked_something_else_are_refused(words: str, folder: Path) -> None:
    """Half of the rows would be without what the other half was asked; the message names both files."""
    (folder / "others.csv").write_text("".join(f"text-{row % 5}\n" for row in range(120)))
    np.save(folder / "others.npy", np.ones(120, np.int64))
    for number, options in enumerate(OTHER_QUESTIONS[words], 1):
        share = ("--shard", f"{number}/2", "--partial", f"{number}.part", "-qq")
        assert compute(*share, *options, cwd=folder).code == 0
    ended = xent_here("merge", "1.part", "2.part", cwd=folder)
    assert is_one_error(ended)
    assert words in ended.err
    assert "1.part and 2.part" in ended.err


@pytest.mark.parametrize("name", ["ids.csv", "bytes.npy"])
def test_the_groups_and_bytes_are_those_of_the_parts(name: str, folder: Path) -> None:
    """The files are read once more: others would give other errors, and another denominator."""
    names = shards(2, folder, "--group", "ids.csv", "--bytes", "bytes.npy")
    if name == "ids.csv":
        (folder / name).write_text("".join(f"text-{row % 3}\n" for row in range(120)))
    else:
        np.save(folder / name, np.ones(120, np.int64))
    ended = xent_here("merge", *names, cwd=folder)
    assert is_one_error(ended)
    assert "are not those that these facts are of" in ended.err
    assert name in ended.err
    (folder / name).unlink()
    assert is_one_error(xent_here("merge", *names, cwd=folder))


def test_a_share_is_told_of_alone(folder: Path) -> None:
    """Its metrics are of its own rows; the bytes of the whole text say nothing of them."""
    share = ("--shard", "2/3", "--json")
    by_row = json.loads(compute("--by", "group", "--group", "ids.csv", "--bytes", "bytes.npy", *share, cwd=folder).out)
    np.save(folder / "own.npy", LOGITS[4:8])
    np.save(folder / "own-labels.npy", LABELS[4:8])
    np.save(folder / "own-bytes.npy", np.load(folder / "bytes.npy")[40:80])
    (folder / "own.csv").write_text("\n".join((folder / "ids.csv").read_text().split("\n")[41:81]) + "\n")
    options = ("--by", "group", "--group", "own.csv", "--bytes", "own-bytes.npy", "--class-axis", "-1", "--json")
    own = json.loads(xent_here("compute", "own.npy", "own-labels.npy", *options, cwd=folder).out)
    by_name = [{part["name"]: part for part in report["groups"]["group"]} for report in (by_row, own)]
    assert by_name[0] == by_name[1]
    assert {"ece", "bits_per_byte", "nll_median"} < by_row["metrics"].keys()
    assert all(own["metrics"][name]["value"] == each["value"] for name, each in by_row["metrics"].items())
    assert by_row["worst"][0]["row"] == own["worst"][0]["row"] + 40
    of_text = json.loads(compute("--bytes", "1000", *share, cwd=folder).out)
    assert "bits_per_byte" not in of_text["metrics"]


def test_a_claim_about_bytes_is_judged_where_all_rows_are(folder: Path) -> None:
    """Bits per byte of a share are of no text."""
    whole = json.loads(compute("--bytes", "1000", "--json", cwd=folder).out)["metrics"]["bits_per_byte"]["value"]
    for option in (("--expect-bpb", "1"), ("--expect", "1")):
        ended = compute("--shard", "1/2", "--bytes", "1000", *option, cwd=folder)
        assert is_one_error(ended)
        assert f"xent merge {option[0]}" in ended.err
    names = shards(2, folder, "--bytes", "1000")
    right, wrong = (
        xent_here("merge", *names, "--expect-bpb", f"{claimed:.5f}", "-q", cwd=folder) for claimed in (whole, 2 * whole)
    )
    assert (right.code, wrong.code) == (0, 1)
    assert json.loads(xent_here("merge", *names, "--expect-bpb", "1", "--json", cwd=folder).out)["byte_claim"]
    assert compute("--resume", "kept", "--bytes", "1000", "--expect-bpb", f"{whole:.5f}", cwd=folder).code == 0
    plain = shards(2, folder, "--metrics")
    ended = xent_here("merge", *plain, "--expect-bpb", "1", "--partial", "all", cwd=folder)
    assert is_one_error(ended)
    assert "--bytes" in ended.err
    assert not (folder / "all").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--calibrate",),
        ("--by", "file", "--by", "colour"),
        ("--group", "axis:2"),
        ("--bytes", "short.npy"),
        ("--by", "class", "--temperature", "2"),
    ],
)
def test_what_parts_cannot_tell_is_refused_before_they_are_computed(options: tuple[str, ...], folder: Path) -> None:
    """The best temperature takes the logits again, which merging has not."""
    np.save(folder / "short.npy", np.ones(60, np.int64))
    before = sorted(path.name for path in folder.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xentcli.running.engine.Task.streamed", None)
        ended = compute("--shard", "1/2", "--partial", "p", *options, cwd=folder)
    assert is_one_error(ended)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_was_computed_is_reported_again_at_once(folder: Path) -> None:
    """And another question is refused, as is a partial without the metrics."""
    first = compute("--resume", "kept", "--by", "class", "--json", cwd=folder)
    kept = (folder / "kept").read_bytes()
    assert compute("--resume", "kept", "--by", "class", "--json", cwd=folder) == first
    assert (folder / "kept").read_bytes() == kept
    for options in ((), ("--metrics",), ("--by", "position")):
        ended = compute("--resume", "kept", *options, cwd=folder)
        assert is_one_error(ended), ended
        assert "kept and this run" in ended.err
    compute("--partial", "kept", "-qq", cwd=folder)
    assert is_one_error(compute("--resume", "kept", "--metrics", cwd=folder))


def test_a_pipe_is_a_partial(folder: Path) -> None:
    """Its bytes come once: `xent merge <(ssh ...)`."""
    names = shards(2, folder, "--by", "class")
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes((folder / names[0]).read_bytes()))
    writer.start()
    ended = xent_here("merge", "pipe", names[1], "--json", cwd=folder)
    writer.join()
    assert ended == xent_here("merge", *names, "--json", cwd=folder)


def test_damage_is_noticed(tmp_path: Path) -> None:
    """One wrong byte on a disk must not become a wrong percentile, nor may a file that ends too soon, or goes on."""
    file, part = tmp_path / "p", partial_of(problem_of(), POLICIES[1], Share(2, 3))
    whole = content_of(part)
    assert content_of(reread(part, file)) == whole
    drawn = random.Random(0)
    rows = whole.index(b"\n") + 1
    places = [0, 1, 8, rows - 1, len(whole) - 1, *(drawn.randrange(len(whole)) for _ in range(20))]
    places += [drawn.randrange(rows, len(whole)) for _ in range(30)]
    for place in places:
        wrong = bytes([whole[place] ^ 1 << drawn.randrange(8)])
        for content in (whole[:place], whole[:place] + wrong + whole[place + 1 :]):
            file.write_bytes(content)
            with pytest.raises(InputError):
                read_partial(str(file))
    for content in (whole + b"\0", whole + whole, whole[:rows], b'{"kind":"loss",', b'{"kind":"loss",\n'):
        file.write_bytes(content)
        with pytest.raises(InputError):
            read_partial(str(file))


def test_sums_of_many_rows_read_back(tmp_path: Path) -> None:
    """From 2,048 sure rows on, the sums of a bin are more than 64 bits hold, and than JSON's readers do."""
    logits, labels = np.tile(np.float32([20.0, 0.0]), (3000, 1)), np.zeros(3000, np.int64)
    part = partial_of(problem_of(logits, labels, 1 << 20), POLICIES[0])
    assert part.facts.predictions is not None
    assert max(part.facts.predictions.bins.confidences) > 1 << 64
    again = reread(part, tmp_path / "p")
    assert again.facts.predictions == part.facts.predictions
    assert content_of(again) == content_of(part)


def forged_rows(name: str, row: int, value: float) -> Callable[[Partial], Partial]:
    """A partial with another number in one row, and the checksum that fits it."""

    def forge(part: Partial) -> Partial:
        rows = np.concatenate([table[:] for table in part.facts.ordered])
        rows[row, COLUMNS.index(name)] = value
        return replace(part, facts=replace(part.facts, ordered=(rows,), kept=Checksum.of(rows)))

    return forge


def forged_sums(**changes: Any) -> Callable[[Partial], Partial]:
    """A partial with other sums; each change is a function of what it takes the place of."""

    def forge(part: Partial) -> Partial:
        found = part.facts.predictions
        assert found is not None
        others = {name: change(getattr(found, name)) for name, change in changes.items()}
        return replace(part, facts=replace(part.facts, predictions=replace(found, **others)))

    return forge


def moved(values: tuple[int, ...]) -> tuple[int, ...]:
    """One more in the last bin, one less in another."""
    most = values.index(max(values[:-1]))
    return (*(each - (place == most) for place, each in enumerate(values[:-1])), values[-1] + 1)


FORGED = {
    "a row twice": forged_rows("row", 3, 42),
    "a row of another share": forged_rows("row", -1, 90),
    "half a row": forged_rows("row", 3, 43.5),
    "no row": forged_rows("row", 3, np.nan),
    "a label that is no class": forged_rows("label", 5, 5),
    "another loss of a worst row": forged_rows("loss", 5, 50.0),
    "a loss below 0": forged_rows("loss", 5, -1.0),
    "more than certain": forged_rows("confidence", 5, 1.5),
    "less than a guess": forged_rows("confidence", 5, 0.1),
    "another confidence": forged_rows("confidence", 5, 1.0),
    "more right than right": forged_rows("right", 5, 3),
    "another Brier score": forged_rows("brier", 5, 1.0),
    "more entropy than there is": forged_rows("entropy", 5, 1.7),
    "another entropy": forged_rows("entropy", 5, 0.5),
    "fewer bins": forged_sums(bins=lambda bins: replace(bins, rows=bins.rows[:-1])),
    "more hits": forged_sums(bins=lambda bins: replace(bins, hits=(bins.hits[0] + 1, *bins.hits[1:]))),
    "hits of another bin": forged_sums(bins=lambda bins: replace(bins, hits=moved(bins.hits[::-1])[::-1])),
    "rows of another bin": forged_sums(bins=lambda bins: replace(bins, rows=(200, *bins.rows[1:]))),
    "more confidence": forged_sums(bins=lambda bins: replace(bins, confidences=(1 << 60, *bins.confidences[1:]))),
    "a radius below 0": forged_sums(loss_radius=lambda radius: -radius),
    "more in the top five than rows": forged_sums(five=lambda _: (0, 1000)),
    "fewer possible than sure": forged_sums(five=lambda five: (five[1], five[0] - 1)),
    "no worst rows": forged_sums(worst=lambda _: ()),
    "another worst row": forged_sums(worst=lambda worst: (replace(worst[0], row=40), *worst[1:])),
    "more worst rows": forged_sums(kept=lambda kept: kept + 1),
    "another mean": forged_sums(brier=lambda brier: replace(brier, total=brier.total + brier.total)),
    "bins of more classes": forged_sums(
        class_bins=lambda bins: replace(bins, gaps=Wholes.of(np.zeros(6 * 15, np.int64)))
    ),
    "no metrics": lambda part: replace(part, facts=replace(part.facts, predictions=None)),
    "no checksum": lambda part: replace(part, facts=replace(part.facts, kept=None)),
    "more ignored than there are": lambda part: replace(part, facts=replace(part.facts, ignored=41)),
    "an unknown metric": lambda part: replace(part, columns=(*part.columns[:-1], "kurtosis")),
    "no columns": lambda part: replace(part, columns=()),
    "columns of another question": lambda part: replace(
        part, asked=replace(part.asked, metrics=replace(part.asked.metrics, by=()))
    ),
    "metrics that nobody asked for": lambda part: replace(part, asked=replace(part.asked, metrics=None)),
    "an unknown part": lambda part: replace(
        part, asked=replace(part.asked, metrics=replace(part.asked.metrics, by=("colour",)))
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_facts_that_no_run_comes_to_are_refused(what: str, tmp_path: Path) -> None:
    """By a program that writes the checksums, too: rows and sums tell of each other."""
    honest = partial_of(problem_of(), POLICIES[1], Share(2, 3))
    forged = FORGED[what](honest)
    assert content_of(forged) != content_of(honest)
    with pytest.raises(InputError):
        reread(forged, tmp_path / "p")


def test_columns_that_are_too_short_are_refused(folder: Path) -> None:
    """And those that are too long: the message says how many bytes there are to be."""
    (name,) = shards(1, folder, "--metrics")
    whole = (folder / name).read_bytes()
    for content, words in ((whole[:-32], "cut off"), (whole + b"\0" * 32, "goes on after")):
        (folder / name).write_bytes(content)
        ended = xent_here("merge", name, cwd=folder)
        assert is_one_error(ended)
        assert words in ended.err


def test_a_row_that_is_no_number_is_among_no_worst_rows() -> None:
    """Its place in the order would hang on where the blocks were cut."""
    logits = np.array([[0.0, 1.0], [np.nan, 0.0], [3.0, 0.0], [0.0, np.nan], [0.0, 2.0]], np.float32)
    for block_bytes in (1, 1 << 20):
        problem = Problem(
            from_memory(logits, "z"), from_memory(np.zeros(5, np.int64), "y"), Options(), block_bytes, in_parts=True
        )
        worst = run(problem, Policy(metrics=True, worst=4)).worst
        assert worst is not None
        assert [each.row for each in worst] == [4, 0, 2]


def test_others_read_the_rows_as_the_page_says(folder: Path) -> None:
    """Somebody's own percentile must not take a decoder."""
    shards(1, folder, "--by", "class")
    (recipe,) = re.findall(r"```python\n(import numpy.*?)```", SCALE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    (folder / "1.part").rename(folder / "1.json")
    with chdir(folder):
        exec(recipe, names)
    report = json.loads(compute("--by", "class", "--json", cwd=folder).out)
    loss = names["rows"][:, names["head"]["columns"].index("loss")]
    assert np.median(loss) == report["metrics"]["nll_median"]["value"]
    assert len(loss) == report["counts"]["samples"] - report["counts"]["ignored"]
