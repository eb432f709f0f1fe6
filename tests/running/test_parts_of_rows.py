"""Metrics by part and by group of the rows: against pandas' groupby and NumPy, exact sums, and hostile groups."""

from __future__ import annotations

import io
import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from calls import calls_of
from process import is_one_error, xent_here
from scipy import special, stats

from xentcli import compute
from xentcli.errors import InputError, UsageError
from xentcli.judging.grouped import parts_by

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(19)
SHAPE = (6, 20, 5)  # sequences, positions, classes
LOGITS = np.round(G.standard_normal(SHAPE) * 2, 1).astype(np.float32)  # rounded, so that some are ties
LABELS = np.where(G.random(SHAPE[:2]) < 0.1, -100, G.integers(5, size=SHAPE[:2]))
NAMES = G.choice(["wiki", "code", "mail"], SHAPE[:2]).reshape(-1)
BYS = [
    ("position", []), ("class", []), ("confidence", []), ("group", ["--group", "ids.csv"]),
    ("file", []), ("group", ["--group", "axis:0"]),
]  # fmt: skip


def rows() -> pd.DataFrame:
    """What is expected of each row that counts, in 80 bits."""
    logs = special.log_softmax(LOGITS.reshape(-1, 5).astype(np.longdouble), axis=1)
    labels, every = LABELS.reshape(-1), np.arange(120)
    p, one = np.exp(logs), np.eye(5)[labels.clip(0)]
    own = LOGITS.reshape(-1, 5)[every, labels.clip(0)][:, None]
    above, equal = ((LOGITS.reshape(-1, 5) > own).sum(1), (LOGITS.reshape(-1, 5) == own).sum(1))
    found = pd.DataFrame({
        "loss": -logs[every, labels.clip(0)].astype(float), "brier": ((p - one) ** 2).sum(1).astype(float),
        "entropy": -(p * logs).sum(1).astype(float),
        "sure": ((above == 0) & (equal == 1)).astype(float), "possible": (above == 0).astype(float),
        "position": every % 20, "class": labels, "ids": NAMES, "file": every // 40, "sequence": every // 20,
        "confidence": np.digitize(p.max(1).astype(float), [0.25, 0.5, 0.75, 0.95]),
    })  # fmt: skip
    return found[labels >= 0]


def group_error(values: np.ndarray, groups: np.ndarray) -> float:
    """(1/n)·sqrt(G/(G − 1)·Σ_g (Σ_{i∈g}(v_i − v̄))²), as NumPy has it."""
    sums = pd.Series(values - values.mean()).groupby(np.asarray(groups)).sum()
    return float("nan") if len(sums) < 2 else math.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("logits", LOGITS), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values)
    for number in range(3):
        np.save(tmp_path / f"shard-{number}.npy", LOGITS[2 * number : 2 * number + 2])
    (tmp_path / "ids.csv").write_text("\n".join(["source", *NAMES]) + "\n")
    return tmp_path


def computed(folder: Path, *arguments: str, logits: str = "logits.npy") -> dict:
    ended = xent_here("compute", logits, "labels.npy", "--class-axis", "-1", *arguments, "--json", cwd=folder)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


@pytest.mark.parametrize(("by", "arguments"), BYS, ids=lambda value: "-".join(value) or "alone")
def test_parts_are_those_of_pandas(by: str, arguments: list[str], folder: Path) -> None:
    """Who looks for the class that costs most would mend the wrong one."""
    table, sequences = rows(), arguments != ["--group", "ids.csv"]
    key = by if by != "group" else "sequence" if sequences else "ids"
    groups = table["sequence" if sequences else "ids"]
    files = "shard-*.npy" if by == "file" else "logits.npy"
    found = computed(folder, "--by", by, *arguments, logits=files)["groups"][by]
    expected = table.groupby(key)
    assert [part["rows"] for part in found] == expected.size().tolist()
    total = table["loss"].sum()
    for part, (_, own) in zip(found, expected, strict=True):
        assert part["loss"]["value"] == pytest.approx(own["loss"].mean(), rel=1e-12)
        assert part["loss"]["lower"] <= own["loss"].mean() <= part["loss"]["upper"]
        assert part["total"] == pytest.approx(own["loss"].sum(), rel=1e-12)
        assert part["share"]["value"] == pytest.approx(own["loss"].sum() / total, rel=1e-12)
        assert (part["accuracy"]["lower"], part["accuracy"]["upper"]) == (own["sure"].mean(), own["possible"].mean())
        assert part["loss"].get("se", math.nan) == pytest.approx(stats.sem(own["loss"]), rel=1e-9, nan_ok=True)
        error = group_error(own["loss"].to_numpy(), groups[own.index].to_numpy())
        assert part["loss"].get("group_se", math.nan) == pytest.approx(error, rel=1e-9, nan_ok=True)
    names = {"class": [*"01234"], "group": [*"012345"] if sequences else sorted(set(NAMES))}
    assert by not in names or [part["name"] for part in found] == names[by]


def test_groups_give_the_metrics_their_errors(folder: Path) -> None:
    """Rows of one text resemble each other: an error of rows alone would call noise a difference."""
    np.save(folder / "bytes.npy", G.integers(1, 9, 120))
    found, table = computed(folder, "--group", "axis:0", "--bytes", "bytes.npy"), rows()
    groups = table["sequence"].to_numpy()
    own = {"nll": table["loss"], "brier": table["brier"], "entropy": table["entropy"], "accuracy": table["possible"]}
    for name, values in own.items():
        assert found["metrics"][name]["group_se"] == pytest.approx(group_error(values.to_numpy(), groups), rel=1e-9)
    error = group_error(table["loss"].to_numpy(), groups)
    assert found["metrics"]["bits"]["group_se"] == pytest.approx(error / math.log(2), rel=1e-9)
    assert found["metrics"]["perplexity"]["group_se"] == pytest.approx(math.exp(table["loss"].mean()) * error, rel=1e-9)
    sizes = np.load(folder / "bytes.npy")[table.index]
    bits = table["loss"].to_numpy() / math.log(2)
    moved = pd.Series(bits - bits.sum() / sizes.sum() * sizes).groupby(groups).sum()
    ratio = math.sqrt(6 / 5 * (moved**2).sum()) / sizes.sum()
    assert found["metrics"]["bits_per_byte"]["group_se"] == pytest.approx(ratio, rel=1e-9)
    reach = stats.t.ppf(0.975, 5) * error
    assert found["metrics"]["nll"]["interval"] == pytest.approx(
        [table["loss"].mean() - reach, table["loss"].mean() + reach], rel=1e-9
    )
    assert found["grouped"] == {"by": "axis:0", "groups": 6}


def test_the_line_beside_the_loss_quotes_groups(folder: Path) -> None:
    """The error on the first screen is the one that people copy."""
    error = group_error(rows()["loss"].to_numpy(), rows()["sequence"].to_numpy())
    ended = xent_here("compute", "logits.npy", "labels.npy", "--class-axis", "-1", "--group", "axis:0", cwd=folder)
    assert f"standard error {error:.2g} by 6 groups" in " ".join(ended.out.split())
    assert "± groups" in ended.out
    csv = xent_here(
        "compute", "logits.npy", "labels.npy", "--class-axis", "-1", "--group", "axis:0", "-f", "csv", cwd=folder
    )
    (line,) = pd.read_csv(io.StringIO(csv.out)).to_dict("records")
    assert line["standard_error_groups"] == pytest.approx(error, rel=1e-9)
    alone = xent_here("compute", "logits.npy", "labels.npy", "--class-axis", "-1", "--group", "6000", cwd=folder)
    assert "standard error unknown of 1 group" in " ".join(alone.out.split())


def test_parts_add_up_to_the_last_bit() -> None:
    """A share that is lost in rounding would be looked for in the data."""
    losses = np.concatenate([G.exponential(1.0, 999) * 10.0 ** G.integers(-300, 300, 999), [5e-324]])
    columns = {"loss": losses, "right": np.ones(1000)}
    of_row = G.integers(0, 37, 1000)
    for part in parts_by([*map(str, range(37))], of_row, columns.__getitem__, None, 0.0):
        own = [Fraction(loss) for loss in losses[of_row == int(part.name)].tolist()]
        assert (part.rows, part.total, part.loss.value) == (len(own), float(sum(own)), float(sum(own) / len(own)))
        assert part.share is not None
        assert part.share.value == float(sum(own) / sum(map(Fraction, losses.tolist())))


def test_a_hundred_thousand_documents_are_parts() -> None:
    """A corpus has so many: two hundred calls for each part took ten seconds, where a table takes a few for each."""
    ids, columns = G.permutation(np.repeat(np.arange(2_000), 2)), {"loss": G.exponential(1.0, 4_000)}
    columns["right"] = np.ones(4_000)
    names = [*map(str, range(2_000))]
    calls = calls_of(lambda: parts_by(names, ids, columns.__getitem__, ids // 10, 1e-12))
    assert calls < 60 * len(names)


@pytest.mark.parametrize("block_bytes", [64, 4096])
def test_blocks_do_not_move_parts(block_bytes: int) -> None:
    """A report that changes with the memory of a machine cannot be compared with one of another."""
    given = {"class_axis": -1, "by": ["class", "position"], "group": 7}
    assert compute(LOGITS, LABELS, **given, block_bytes=block_bytes).groups == compute(LOGITS, LABELS, **given).groups


def test_weights_and_smoothing_leave_parts_alone() -> None:
    """Parts are of −log p, as perplexity is."""
    weight = np.array([1.0, 2.0, 0.5, 3.0, 1.0], np.float32)
    plain = compute(LOGITS, LABELS, class_axis=-1, by="class").groups["class"]
    other = compute(LOGITS, LABELS, class_axis=-1, by="class", weight=weight, label_smoothing=0.3).groups["class"]
    assert [part.total for part in other] == pytest.approx([part.total for part in plain], rel=1e-13)
    assert [part.accuracy for part in other] == [part.accuracy for part in plain]


def test_one_class_is_one_part_that_carries_nothing() -> None:
    """Of losses that are all 0 no part has a share, and nothing is divided by 0."""
    (part,) = compute(np.ones((4, 1), np.float32), np.zeros(4, np.int64), by="class").groups["class"]
    assert (part.rows, part.loss.value, part.loss.se, part.accuracy.lower, part.share) == (4, 0.0, 0.0, 1.0, None)


def test_a_masked_label_leaves_shares_unknown() -> None:
    """An infinite loss is the answer of its class alone."""
    found = compute([[0.0, -math.inf], [0.0, 1.0]], [1, 0], by="class").groups["class"]
    assert [part.loss.value for part in found] == [pytest.approx(math.log1p(math.e)), math.inf]
    assert [part.share for part in found] == [None, None]
    assert found[1].loss.se is None


def test_no_parts_of_ignored_rows(folder: Path) -> None:
    """A report on nothing says so, and does not fall over."""
    np.save(folder / "labels.npy", np.full(SHAPE[:2], -100))
    arguments = ("logits.npy", "labels.npy", "--class-axis", "-1", "--by", "class", "--group", "ids.csv")
    ended = xent_here("compute", *arguments, "--json", cwd=folder)
    assert json.loads(ended.out)["groups"] == {"class": []}
    assert "Loss by class" not in xent_here("compute", *arguments, cwd=folder).out


def test_a_file_of_groups_that_does_not_fit_is_refused_at_once(folder: Path) -> None:
    """Groups of other rows would give an error that means nothing."""
    (folder / "ids.csv").write_text("a\nb\n")
    ended = xent_here("compute", "logits.npy", "labels.npy", "--class-axis", "-1", "--group", "ids.csv", cwd=folder)
    assert is_one_error(ended)
    assert "the groups do not fit the rows" in ended.err


@pytest.mark.parametrize(
    ("logits", "options", "message"),
    [
        (LOGITS[0], {"by": "position"}, "no row has a position"),
        (LOGITS[0], {"by": "group"}, "there are no groups"),
        (LOGITS[0], {"group": "axis:1"}, "no axis of samples"),
        (LOGITS[0], {"by": "colour"}, "parts are not told apart by this"),
        (LOGITS[0], {"group": 0}, "at least one row"),
    ],
)
def test_parts_that_there_are_not_are_refused(logits: np.ndarray, options: dict, message: str) -> None:
    """What cannot be told is said, before anything is computed."""
    with pytest.raises(UsageError, match=message):
        compute(logits, np.zeros(len(logits), np.int64), **options)


def test_a_missing_file_of_groups_is_an_input_error(tmp_path: Path) -> None:
    """A typing mistake in a name must not become a group."""
    with pytest.raises(InputError):
        compute(LOGITS[0], LABELS[0], group=str(tmp_path / "none.csv"))


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_names_of_groups_cannot_steer_a_terminal(form: str, folder: Path) -> None:
    """A file of groups may be somebody else's."""
    (folder / "ids.csv").write_text("\n".join(["\x1b[31m|red", *["plain"] * 119]) + "\n")
    arguments = ("logits.npy", "labels.npy", "--class-axis", "-1", "--by", "group", "--group", "ids.csv")
    ended = xent_here("compute", *arguments, "-f", form, cwd=folder)
    assert "\x1b[31m" not in ended.out
    assert "plain" in ended.out
    assert form == "table" or "\\|red" in ended.out


def test_an_annotation_says_which_part_carries_most(folder: Path) -> None:
    """Who reads a pull request sees no tables."""
    arguments = ("logits.npy", "labels.npy", "--class-axis", "-1", "--by", "class", "-f", "github")
    losses = rows().groupby("class")["loss"].sum()
    share = f"{100 * losses.max() / losses.sum():.3g}"
    assert f"::notice title=xent%3A by class::class {losses.idxmax()} carries {share} %25 of the loss in" in (
        xent_here("compute", *arguments, cwd=folder).out
    )


def test_of_many_parts_the_heaviest_are_shown(folder: Path) -> None:
    """A table of a thousand documents would bury the one that matters."""
    arguments = ("logits.npy", "labels.npy", "--class-axis", "-1", "--group", "4", "--by", "group")
    table = xent_here("compute", *arguments, cwd=folder).out
    assert "Loss by group: the 20 that carry most of 30" in table
    assert len(table.partition("Loss by group")[2].partition("\n\n")[0].splitlines()) == 23
    parts = computed(folder, "--group", "4", "--by", "group")["groups"]["group"]
    least = min(parts, key=lambda part: part["total"])
    assert f"\n{least['name']} " not in table.partition("Loss by group")[2].partition("\n\n")[0]
