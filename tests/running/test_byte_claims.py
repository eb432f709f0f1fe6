"""Claims about bits per byte: held to their digits, and the wrong divisions that give another number."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import mpmath
import numpy as np
import pytest
from process import is_one_error, xent_here

from xentcli import compute
from xentcli.docs.glossary import find
from xentcli.errors import UsageError
from xentcli.running.byteclaims import SLIPS

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(29)
LOGITS = G.normal(0, 2, (60, 5))
LABELS = np.where(np.arange(60) % 7 == 3, -100, G.integers(0, 5, 60))
SIZES = np.where(np.arange(60) % 11 == 5, 0, G.integers(1, 9, 60))
COUNTED = LABELS >= 0


def nats() -> np.ndarray:
    """−log p of the labels that count, in 40 digits and rounded once."""
    with mpmath.workdps(40):
        rows = [(row, label) for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True) if label >= 0]
        return np.array([float(mpmath.log(mpmath.fsum(map(mpmath.exp, row))) - row[label]) for row, label in rows])


def wrong() -> dict[str, float]:
    """What each mistake gives, by NumPy."""
    loss, sizes, groups = nats(), SIZES[COUNTED], np.arange(60)[COUNTED] // 10
    bits, own = loss / math.log(2), sizes > 0
    of_groups = [bits[groups == each].sum() / sizes[groups == each].sum() for each in range(6)]
    return {
        "bits-per-token": bits.mean(),
        "nats-per-byte": loss.sum() / sizes.sum(),
        "nats-per-token": loss.mean(),
        "ignored-bytes": bits.sum() / SIZES.sum(),
        "mean-of-ratios": (bits[own] / sizes[own]).mean(),
        "mean-of-group-ratios": np.mean(of_groups),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("logits", LOGITS), ("labels", LABELS), ("bytes", SIZES)):
        np.save(tmp_path / f"{name}.npy", values)
    return tmp_path


def claimed(folder: Path, value: str, *arguments: str):
    options = ("--bytes", "bytes.npy", "--group", "10", "--expect-bpb", value, *arguments)
    return xent_here("compute", "logits.npy", "labels.npy", *options, cwd=folder)


@pytest.mark.parametrize("code", [slip.code for slip in SLIPS])
def test_each_mistake_is_named(code: str, folder: Path) -> None:
    """Who reads a paper's number must learn what it was divided by."""
    ended = claimed(folder, f"{wrong()[code]:.5f}", "--json")
    found = json.loads(ended.out)["byte_claim"]
    assert ended.code == 1
    assert found["holds"] is False
    assert [cause["code"] for cause in found["causes"]] == [code]
    assert code in json.loads(ended.out)["summary"]
    assert find(code)


def test_the_true_value_holds_to_its_digits(folder: Path) -> None:
    """A number that was printed rightly must not fail a build, nor one that is off by one digit pass."""
    true = nats().sum() / math.log(2) / SIZES[COUNTED].sum()
    assert claimed(folder, f"{true:.4f}").code == 0
    assert claimed(folder, f"{true:.12f}").code == 0
    assert claimed(folder, f"{true + 1e-4:.4f}").code == 1
    found = json.loads(claimed(folder, f"{true:.4f}", "--json").out)["byte_claim"]
    assert (found["tokens"], found["bytes"], found["causes"]) == (COUNTED.sum(), SIZES[COUNTED].sum(), [])
    assert found["lower"] <= true <= found["upper"]
    assert found["nats"] == pytest.approx(nats().sum(), rel=1e-13)


def test_another_denominator_is_said(folder: Path) -> None:
    """A tokenizer's marks that were counted twice have no name here: their number of bytes is what tells."""
    bits = nats().sum() / math.log(2)
    count = round(SIZES[COUNTED].sum() * 1.09)
    ended = claimed(folder, f"{bits / count:.6f}")
    assert f"are {count:,} bytes, 9" in " ".join(ended.out.split())
    assert "% more than given" in " ".join(ended.out.split())


def test_few_digits_name_nothing() -> None:
    """Two digits fit too many mistakes for any of them to be told."""
    given = {"bytes": int(SIZES.sum()), "expect_bpb": f"{wrong()['bits-per-token']:.1g}"}
    found = compute(LOGITS, LABELS, **given).byte_claim
    assert (found.holds, found.causes) == (False, ())


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("table", "(bits-per-token)"), ("markdown", "(bits-per-token)"), ("github", "title=xent%3A claim"),
        ("junit", 'name="bits-per-byte"'), ("csv", "bits_per_byte_holds"), ("json", '"byte_claim"'),
    ],
)  # fmt: skip
def test_every_format_has_the_claim(form: str, text: str, folder: Path) -> None:
    """A build that fails without saying why is turned off."""
    ended = claimed(folder, f"{wrong()['bits-per-token']:.5f}", "-f", form)
    assert ended.code == 1
    assert text in " ".join(ended.out.split())


def test_a_claim_without_bytes_is_refused(folder: Path) -> None:
    """Bytes cannot be guessed from tokens."""
    ended = xent_here("compute", "logits.npy", "labels.npy", "--expect-bpb", "1.01", cwd=folder)
    assert is_one_error(ended)
    assert "bits per byte need the bytes" in ended.err
    with pytest.raises(UsageError, match="no number"):
        compute(LOGITS, LABELS, bytes=100, expect_bpb="much")


@pytest.mark.parametrize(("claim", "holds"), [("inf", True), ("1.5", False), ("nan", False)])
def test_an_infinite_loss_is_what_it_is(claim: str, holds: bool) -> None:
    """Of a masked label no finite number of bits per byte is right."""
    found = compute([[0.0, -math.inf], [0.0, 1.0]], [1, 1], bytes=3, expect_bpb=claim).byte_claim
    assert (found.holds, found.true) == (holds, "inf")


def test_nothing_counts_and_nothing_is_judged() -> None:
    """Of ignored rows alone there are no bits."""
    report = compute([[0.0, 1.0]], [-100], bytes=3, expect_bpb="1.5")
    assert (report.byte_claim, report.verdict) == (None, "undecided")
