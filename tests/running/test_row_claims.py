"""Claimed losses of rows: right ones in any format hold, one wrong digit does not, and one mistake is named once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from process import is_one_error, xent_here
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from pathlib import Path

G = torch.Generator().manual_seed(3)
LOGITS, LABELS = torch.randn(60, 7, generator=G) * 3, torch.randint(7, (60,), generator=G)
LOSSES = cross_entropy(LOGITS, LABELS, reduction="none").numpy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "z.npy", LOGITS.numpy())
    np.save(tmp_path / "y.npy", LABELS.numpy())
    return tmp_path


def claimed(folder: Path, *arguments: str, code: int = 0) -> dict:
    ended = xent_here("compute", "z.npy", "y.npy", "--reduction", "none", *arguments, "--json", cwd=folder)
    assert ended.code == code, (ended.out[-500:], ended.err)
    return json.loads(ended.out)["row_claims"]


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_a_file_of_right_losses_holds_in_any_format(kind: type, folder: Path) -> None:
    """Another implementation's rounding is no mistake; its format's neither."""
    np.save(folder / "mine.npy", LOSSES.astype(kind))
    found = claimed(folder, "--expect", "mine.npy")
    assert (found["count"], found["wrong"], found["undecided"], found["rows"]) == (60, 0, 0, [])


@pytest.mark.parametrize("digits", [2, 4, 9])
def test_text_is_held_to_its_digits(digits: int, folder: Path) -> None:
    """Four decimals cannot say more; one more in the last of them is another number."""
    np.savetxt(folder / "mine.csv", LOSSES, fmt=f"%.{digits}f")
    assert claimed(folder, "--expect", "mine.csv")["wrong"] == 0
    wrong = LOSSES.astype(float).copy()
    wrong[17] += 2 * 10.0 ** -min(digits, 5)
    np.savetxt(folder / "mine.csv", wrong, fmt=f"%.{digits}f")
    found = claimed(folder, "--expect", "mine.csv", code=1)
    assert (found["wrong"], found["rows"][0]["row"]) == (1, 17)


def test_one_wrong_row_is_named_beside_the_true_loss(folder: Path) -> None:
    """A few float32 roundings are allowed, and 1e-4 is none."""
    mine = LOSSES.copy()
    mine[41] += 1e-4
    np.save(folder / "mine.npy", mine)
    found = claimed(folder, "--expect", "mine.npy", code=1)
    (row,) = found["rows"]
    assert (found["wrong"], row["row"], row["holds"]) == (1, 41, False)
    exact = cross_entropy(LOGITS[41:42].double(), LABELS[41:42]).item()
    assert row["lower"] <= exact <= row["upper"]
    assert found["cause"] is None
    told = xent_here("compute", "z.npy", "y.npy", "--reduction", "none", "--expect", "mine.npy", "-q", cwd=folder)
    assert told.out.startswith("fails: 1 of 60 claimed losses does not hold; the worst is row 41, ")


def test_one_mistake_in_every_row_is_named_once(folder: Path) -> None:
    """What most rows have in common is the mistake; the others are hard to tell one by one."""
    twice = cross_entropy(torch.softmax(LOGITS, 1), LABELS, reduction="none").numpy()
    np.save(folder / "mine.npy", twice)
    found = claimed(folder, "--expect", "mine.npy", code=1)
    assert found["cause"]["code"] == "softmax-twice"
    assert found["caused"] > found["looked"] / 2
    for form in ("table", "csv", "markdown", "junit", "github"):
        arguments = ("--reduction", "none", "--expect", "mine.npy", "-f", form)
        assert xent_here("compute", "z.npy", "y.npy", *arguments, cwd=folder).code == 1


def test_typed_claims_of_some_rows(folder: Path) -> None:
    """As a thread gives them: two rows of a table."""
    right, wrong = f"3={LOSSES[3]:.4f}", f"5={LOSSES[5] + 0.01:.4f}"
    assert claimed(folder, "--expect-row", right)["count"] == 1
    found = claimed(folder, "--expect-row", right, "--expect-row", wrong, code=1)
    assert (found["count"], found["wrong"], found["rows"][0]["row"]) == (2, 1, 5)


def test_nothing_depends_on_blocks_and_processes(folder: Path, tmp_path: Path) -> None:
    """Claims are judged where every row is known."""
    np.save(folder / "mine.npy", LOSSES + np.float32(0.01))
    outs = {
        xent_here(
            "compute", "z.npy", "y.npy", "--reduction", "none", "--expect", "mine.npy", "--json", *how, cwd=folder
        ).out
        for how in ((), ("--block-bytes", "64"), ("--threads", "1"), ("--jobs", "2"))
    }
    assert len(outs) == 1


def test_masked_rows_and_ignored_ones(folder: Path) -> None:
    """An infinite loss is a loss, and what does not count is 0."""
    logits, labels = LOGITS.clone(), LABELS.clone()
    logits[2, labels[2]] = -np.inf
    labels[7] = -100
    np.save(folder / "z.npy", logits.numpy())
    np.save(folder / "y.npy", labels.numpy())
    losses = cross_entropy(logits, labels, reduction="none").numpy()
    np.save(folder / "mine.npy", losses)
    assert claimed(folder, "--expect", "mine.npy")["wrong"] == 0
    losses[2], losses[7] = 80.0, np.nan
    np.save(folder / "mine.npy", losses)
    found = claimed(folder, "--expect", "mine.npy", code=1)
    assert {row["row"] for row in found["rows"]} == {2, 7}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--expect-row", "3=1.2"), "--reduction none"),
        (("--reduction", "none", "--expect-row", "three=1.2"), "ROW=VALUE"),
        (("--reduction", "none", "--expect-row", "3=1", "--expect-row", "3=2"), "one row"),
        (("--reduction", "none", "--expect-row", "60=1"), "0 to 59"),
        (("--reduction", "none", "--expect", "1.27"), "no total to expect"),
        (("--reduction", "none", "--expect", "mine.npy"), "no such file"),
        (("--reduction", "none", "--expect", "z.npy"), "do not fit the samples"),
        (("--reduction", "none", "--expect", "y.npy", "--expect-row", "1=2"), "twice"),
        (("--reduction", "none", "--expect-row", "1=2", "--reference", "off"), "true loss of each"),
        (("--reduction", "none", "--expect-row", "1=2", "--shard", "1/2"), "where all rows are"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], told: str, folder: Path) -> None:
    """A claim that is not looked at would be a claim that holds."""
    ended = xent_here("compute", "z.npy", "y.npy", *arguments, cwd=folder)
    assert is_one_error(ended), ended
    assert told in ended.err
