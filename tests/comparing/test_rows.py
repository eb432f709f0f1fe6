"""Every row of a comparison, in each format that has rows, and the classes of the worst ones."""

from __future__ import annotations

import io
import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from process import is_one_error, xent_here
from scipy import special

from xentcli import compare

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(9)
BASE = (G.standard_normal((50, 4)) * 2).astype(np.float32)
OTHER = (BASE + G.standard_normal(BASE.shape) * 0.5).astype(np.float32)
LABELS = np.where(np.arange(50) % 7 == 0, -100, G.integers(4, size=50))
NAMES = [
    "row", "kl", "kl_lower", "kl_upper", "kl_reverse", "js", "tv", "loss_base", "loss_other", "delta_p", "top_base",
    "top_other",
]  # fmt: skip
FILES = ("base.npy", "other.npy", "--labels", "labels.npy", "--reduction", "none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("base", BASE), ("other", OTHER), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values)
    return tmp_path


def expected() -> pd.DataFrame:
    kept = np.flatnonzero(LABELS >= 0)
    p, q = (special.log_softmax(side[kept].astype(np.float64), axis=1) for side in (BASE, OTHER))
    at = np.arange(len(kept)), LABELS[kept]
    return pd.DataFrame({
        "row": kept, "kl": (np.exp(p) * (p - q)).sum(1), "kl_reverse": (np.exp(q) * (q - p)).sum(1),
        "tv": np.abs(np.exp(p) - np.exp(q)).sum(1) / 2, "loss_base": -p[at], "loss_other": -q[at],
        "delta_p": np.exp(q[at]) - np.exp(p[at]), "top_base": p.argmax(1), "top_other": q.argmax(1),
    })  # fmt: skip


def test_rows_are_the_same_in_csv_npy_and_json(folder: Path) -> None:
    """A plot of rows must not depend on the format that it was made of."""
    text = xent_here("compare", *FILES, "-f", "csv", "--block-bytes", "100", cwd=folder).out
    table = pd.read_csv(io.StringIO(text))
    assert list(table.columns) == NAMES
    for name, values in expected().items():
        assert table[name].to_numpy() == pytest.approx(values.to_numpy(), rel=1e-9, abs=1e-12), name
    assert (table["kl_lower"] <= table["kl"]).all()
    assert (table["kl"] <= table["kl_upper"]).all()
    assert xent_here("compare", *FILES, "-f", "npy", "-o", "rows.npy", cwd=folder).code == 0
    rows = np.load(folder / "rows.npy")
    listed = json.loads(xent_here("compare", *FILES, "--json", cwd=folder).out)["comparisons"][0]["rows"]
    for name in NAMES:
        assert (rows[name] == table[name].to_numpy()).all()
        assert [row[name] for row in listed] == table[name].tolist()


def test_rows_of_several_sides_and_without_labels(folder: Path) -> None:
    """The side stands beside each row; an array holds one side alone."""
    text = xent_here("compare", "base.npy", "other.npy", "base.npy", "--reduction", "none", "-f", "csv", cwd=folder).out
    table = pd.read_csv(io.StringIO(text))
    assert list(table.columns) == ["name", *NAMES]
    assert table.groupby("name").size().to_dict() == {"other.npy": 50, "base.npy": 50}
    assert table["loss_base"].isna().all()
    assert (table[table["name"] == "base.npy"]["kl"] == 0.0).all()
    content = json.loads(
        xent_here("compare", "base.npy", "other.npy", "base.npy", "--reduction", "none", "--json", cwd=folder).out
    )
    assert [len(one["rows"]) for one in content["comparisons"]] == [50, 50]
    assert xent_here("compare", "base.npy", "other.npy", "--reduction", "none", "-f", "npy", "-o", "r.npy", cwd=folder)
    assert "loss_base" not in (np.load(folder / "r.npy").dtype.names or ())
    for arguments in (("--reduction", "none", "base.npy"), ()):
        ended = xent_here("compare", "base.npy", "other.npy", *arguments, "-f", "npy", "-o", "x.npy", cwd=folder)
        assert is_one_error(ended)
        assert not (folder / "x.npy").exists()


def test_the_worst_rows_have_the_classes_of_both_sides(folder: Path) -> None:
    """Which classes took the probability is what the reader of a row asks next; the blocks are not seen."""
    outs = {
        xent_here("compare", "base.npy", "other.npy", "--rows", "7", "--json", *how, cwd=folder).out
        for how in ((), ("--block-bytes", "1"), ("--block-bytes", "200", "--threads", "1"))
    }
    (out,) = outs
    rows = json.loads(out)["comparisons"][0]["rows"]
    p, q = (special.softmax(side.astype(np.float64), axis=1) for side in (BASE, OTHER))
    kl = special.rel_entr(p, q).sum(axis=1)
    assert [row["row"] for row in rows] == np.argsort(-kl)[:7].tolist()
    for row in rows:
        for name, chances in (("tops_base", p), ("tops_other", q)):
            order = np.argsort(-chances[row["row"]])[:3]
            assert [top["number"] for top in row[name]] == order.tolist()
            assert [top["probability"] for top in row[name]] == pytest.approx(chances[row["row"]][order].tolist())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_classes_of_the_worst_rows_on_any_axis(axis: int) -> None:
    """A row is a sample in C order, wherever its classes lie."""
    base, other = (np.moveaxis(side[:48].reshape(6, 8, 4), -1, axis) for side in (BASE, OTHER))
    found = compare(base, other, class_axis=axis, rows=3).comparisons[0].rows
    plain = compare(BASE[:48], OTHER[:48], rows=3).comparisons[0].rows
    assert [(row.row, row.tops_base, row.tops_other) for row in found] == [
        (row.row, row.tops_base, row.tops_other) for row in plain
    ]


def test_all_rows_are_a_sequence() -> None:
    """A caller takes some of millions, the last one, and copies them to another process."""
    found = compare(BASE, OTHER, LABELS, reduction="none", rows=2).comparisons[0].rows
    every = list(found)
    assert len(found) == len(every) == (LABELS >= 0).sum()
    assert found[-1] == every[-1]
    assert list(found[3:9:2]) == every[3:9:2]
    assert list(found[::-1]) == every[::-1]
    assert found[5:5] == ()
    assert pickle.loads(pickle.dumps(found)) == tuple(every)
    assert found == every
    with pytest.raises(IndexError):
        found[len(every)]


def test_sides_stand_beside_each_other_where_the_page_has_room(folder: Path) -> None:
    """A column each; names that would not be told apart keep their folders."""
    for name in ("a", "b", "c"):
        (folder / name).mkdir()
        np.save(folder / name / "x.npy", OTHER)
    arguments = ("compare", "base.npy", "a/x.npy", "b/x.npy", "c/x.npy", "--labels", "labels.npy", "-f", "table")
    for columns, together in (("40", 1), ("80", 2), ("120", 3)):
        lines = xent_here(*arguments, cwd=folder, env={"COLUMNS": columns}).out.splitlines()
        heads = [line for line in lines if line.split() == ["a/x.npy", "b/x.npy", "c/x.npy"][:together]]
        assert len(heads) == 5, columns
        table = [line for line in lines if "±" in line and "nats" not in line]
        assert together == 1 or max(map(len, table)) <= int(columns)


def test_percentiles_stand_upright_on_a_narrow_page(folder: Path) -> None:
    """Forty columns are half a terminal, or a window beside an editor."""
    out = xent_here("compare", *FILES[:4], cwd=folder, env={"COLUMNS": "40"}).out
    block = out.partition("Percentiles of rows")[2].partition("Rows with")[0].splitlines()
    assert max(map(len, block)) <= 40
    assert block[1].split()[:2] == ["percentile", "KL"]
