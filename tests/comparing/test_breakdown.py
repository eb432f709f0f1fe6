"""Parts of the rows against pandas' groupby: positions, classes, confidences, groups and files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from calls import calls_of
from process import is_one_error, xent_here
from scipy import special

from xentcli import compare
from xentcli.comparing.breakdown import breakdown
from xentcli.comparing.table import Table
from xentcli.running.grouping import Parts

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(11)
SHAPE = (6, 20, 5)  # sequences, positions, classes
BASE = (G.standard_normal(SHAPE) * 2).astype(np.float32)
OTHER = (BASE + G.standard_normal(SHAPE) * 0.2).astype(np.float32)
LABELS = G.integers(5, size=SHAPE[:2])
ENCLOSED = [f"{name}{end}" for name in ("kl", "loss_difference") for end in ("", "_lower", "_upper")]
PART_COLUMNS = [*ENCLOSED, "top1_lower", "top1_upper"]
NAMES = G.choice(["wiki", "code", "mail"], SHAPE[:2]).reshape(-1)


def rows() -> pd.DataFrame:
    """What is expected of each row, in 80 bits."""
    p, q = (special.log_softmax(side.reshape(-1, 5).astype(np.longdouble), axis=1) for side in (BASE, OTHER))
    labels, every = LABELS.reshape(-1), np.arange(120)
    return pd.DataFrame({
        "kl": (np.exp(p) * (p - q)).sum(axis=1).astype(float),
        "loss_difference": (p - q)[every, labels].astype(float),
        "same_top": (p.argmax(1) == q.argmax(1)).astype(float),
        "position": every % 20, "class": labels, "group": NAMES,
        "confidence": np.digitize(np.exp(p.max(axis=1)).astype(float), [0.25, 0.5, 0.75, 0.95]),
        "file": every // 40, "sequence": every // 20,
    })  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("base", BASE), ("other", OTHER), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values)
    for number in range(3):
        np.save(tmp_path / f"shard-{number}.npy", BASE[2 * number : 2 * number + 2])
    (tmp_path / "ids.csv").write_text("\n".join(["source", *NAMES]) + "\n")
    (tmp_path / "plain.csv").write_text("\n".join(NAMES) + "\n")
    return tmp_path


def compared(folder: Path, *arguments: str, base: str = "base.npy") -> dict:
    files = (base, "other.npy", "--labels", "labels.npy", "--class-axis", "-1")
    ended = xent_here("compare", *files, *arguments, "--json", cwd=folder)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)["comparisons"][0]


BYS = [
    ("position", []), ("class", []), ("confidence", []), ("group", ["--group", "ids.csv"]),
    ("group", ["--group", "plain.csv"]), ("file", []), ("group", ["--group", "axis:0"]),
    ("group", ["--group", "axis:-2"]),
]  # fmt: skip


@pytest.mark.parametrize(("by", "options"), BYS, ids=str)
def test_parts_are_those_of_pandas_and_add_up(by: str, options: list[str], folder: Path) -> None:
    """A part that is wrong sends its reader to rows that are right."""
    column = {"axis:0": "sequence", "axis:-2": "position"}.get(options[-1] if options else "", by)
    found = compared(folder, "--by", by, *options, base="shard-*.npy" if by == "file" else "base.npy")
    expected = rows().groupby(column, sort=column != "group")
    parts = found["groups"][by]
    assert [part["rows"] for part in parts] == expected.size().tolist()
    if column == "group":
        assert [part["name"] for part in parts] == list(dict.fromkeys(NAMES))
    if by == "file":
        assert [part["name"] for part in parts] == [f"shard-{number}.npy" for number in range(3)]
    for name in ("kl", "loss_difference", "same_top"):
        means = expected[name].mean().tolist()
        assert [part[name]["value"] for part in parts] == pytest.approx(means, rel=1e-12, abs=1e-16)
    for part, mean in zip(parts, expected["kl"].mean(), strict=True):
        assert part["kl"]["lower"] <= mean * (1 + 1e-13)
        assert part["kl"]["upper"] >= mean * (1 - 1e-13)
    shares = expected["kl"].sum() / rows()["kl"].sum()
    assert [part["share"]["value"] for part in parts] == pytest.approx(shares.tolist(), rel=1e-12)
    assert sum(part["share"]["value"] for part in parts) == pytest.approx(1.0, abs=1e-14)
    assert all(part["share"]["lower"] <= part["share"]["value"] <= part["share"]["upper"] for part in parts)


def test_standard_errors_of_parts_are_those_of_their_groups(folder: Path) -> None:
    """The rows of one sequence are alike in each part, too."""
    parts = compared(folder, "--by", "confidence")["groups"]["confidence"]
    (first,) = (part for part in parts if part["name"] == "[0.25, 0.5)")
    own = rows()[rows()["confidence"] == 1]
    assert first["loss_difference"]["se"] == pytest.approx(own["loss_difference"].sem(), rel=1e-9)
    sums = (own["loss_difference"] - own["loss_difference"].mean()).groupby(own["sequence"]).sum()
    expected = np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(own)
    assert first["loss_difference"]["group_se"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("group", "count", "column"),
    [("ids.csv", 3, "group"), ("axis:0", 6, "sequence"), ("axis:1", 20, "position"), ("40", 3, "file")],
)
def test_groups_by_file_axis_and_rows(group: str, count: int, column: str, folder: Path) -> None:
    """A standard error of the wrong groups is a claim that nobody made."""
    found = compared(folder, "--group", group)
    moved = rows()["loss_difference"]
    sums = (moved - moved.mean()).groupby(rows()[column]).sum()
    assert found["counts"]["groups"] == count
    expected = np.sqrt(count / (count - 1) * (sums**2).sum()) / 120
    assert found["statistics"]["loss_difference"]["group_se"] == pytest.approx(expected, rel=1e-9)


def test_groups_are_those_of_rows_that_count(folder: Path) -> None:
    """Rows that are ignored have an id, too; and shards are groups."""
    labels = LABELS.copy()
    labels[NAMES.reshape(SHAPE[:2]) == "code"] = -100
    np.save(folder / "labels.npy", labels)
    found = compared(folder, "--group", "ids.csv", "--by", "group")
    assert found["counts"]["groups"] == 2
    assert {part["name"] for part in found["groups"]["group"]} == {"wiki", "mail"}
    assert compared(folder, "--group", "file", base="shard-*.npy")["counts"]["groups"] == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--group", "short.csv"), "the groups do not fit the rows"),
        (("--group", "half.csv"), "a group id is no whole number"),
        (("--group", "missing.csv"), "no such file"),
        (("--group", "axis:2"), "no axis of samples"),
        (("--group", "axis:7"), "no axis of samples"),
        (("--group", "0"), "a group has at least one row"),
    ],
)
def test_groups_that_do_not_fit_are_refused(arguments: tuple[str, ...], told: str, folder: Path) -> None:
    """Ids of other rows would make standard errors of nothing."""
    (folder / "short.csv").write_text("a\nb\n")
    (folder / "half.csv").write_text("0.5\n" * 120)
    ended = xent_here("compare", "base.npy", "other.npy", "--class-axis", "-1", *arguments, cwd=folder)
    assert is_one_error(ended)
    assert told in ended.err


@pytest.mark.parametrize(
    ("by", "told"), [("position", "--group ROWS"), ("group", "--group FILE"), ("class", "--labels FILE")]
)
def test_parts_that_there_are_not_are_refused(by: str, told: str, folder: Path) -> None:
    """One part with everything in it answers a question that nobody asked."""
    for name in ("base", "other"):
        np.save(folder / f"{name}.npy", np.load(folder / f"{name}.npy").reshape(-1, 5))
    ended = xent_here("compare", "base.npy", "other.npy", "--by", by, cwd=folder)
    assert is_one_error(ended)
    assert told in ended.err


def test_positions_are_told_of_groups_of_rows_and_in_ranges() -> None:
    """Rows of sequences lie in one axis in many files, and a table of 4,096 positions is read by nobody."""
    flat, moved = BASE.reshape(-1, 5), OTHER.reshape(-1, 5)
    found = compare(flat, moved, group=20, by="position").comparisons[0]
    expected = rows().groupby("position")["kl"].mean()
    assert [part.kl.value for part in found.groups["position"]] == pytest.approx(expected.tolist(), rel=1e-12)
    many = np.tile(flat, (2, 1))
    found = compare(many, np.tile(moved, (2, 1)), group=240, by=["position"]).comparisons[0]
    assert [part.rows for part in found.groups["position"]] == [4] * 60
    assert found.groups["position"][-1].name == "236 to 239"


def test_a_hundred_thousand_documents_are_parts() -> None:
    """A call of NumPy's for each number of each part took most of a minute."""
    ids = G.permutation(np.repeat(np.arange(2_000), 2))
    rows = np.ones(4_000, [(name, np.int8 if name.startswith("top1") else np.float64) for name in PART_COLUMNS])
    parts = Parts(ids, tuple(map(str, range(2_000))))
    assert calls_of(lambda: breakdown(Table((rows,)), parts, ids // 10, labelled=True)) < 110 * 2_000


def test_every_format_has_the_parts(folder: Path) -> None:
    """Whoever reads the comparison on a CI server wants to know where, too."""
    files = ("base.npy", "other.npy", "--labels", "labels.npy", "--class-axis", "-1", "--by", "class")
    for form, told in (
        ("table", "Differences by class"), ("markdown", "### Differences by class"), ("csv", ",class,0,"),
        ("junit", "class "), ("github", "by class::class "), ("json", '"share"'),
    ):  # fmt: skip
        assert told in xent_here("compare", *files, "-f", form, cwd=folder).out, form
    short = xent_here("compare", *files, "--rows", "2", cwd=folder).out
    assert "Differences by class: the 2 that carry most of 5" in short
