"""Bases in 16 bits: every statistic holds for the logits before, whatever was rounded or cut off."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from process import is_one_error, xent_here

from xentcli.comparing.problem import Pairing
from xentcli.comparing.rows import Side, table_of
from xentcli.question.problem import Options
from xentcli.sources.open import open_array, open_pair

HERE = Path(__file__).parent / "llama"
PAIRS = sorted(Path(os.environ.get("XENT_LLAMA", HERE)).glob("*-*"))  # all of a folder, or the two that are here
NAMES = ("kl", "kl_reverse", "js", "tv", "entropy_base", "loss_base", "loss_difference", "delta_p")


def tables(folder: Path):
    """The rows of a pair, from the 16 bits and from float32."""
    stored, labels = open_pair(str(folder / "base.kld"))
    exact, other = (open_array(str(folder / f"{name}.npy")) for name in ("base", "other"))
    options = Options()
    for base in (stored, exact):
        pairing = Pairing.of(base, labels, [other], options)
        first, second = (Side.read(problem, 0, len(labels.values)) for problem in (pairing.base, *pairing.others))
        yield table_of(first, second, options)


@pytest.mark.parametrize("folder", [pair for pair in PAIRS if (pair / "base.npy").exists()], ids=lambda pair: pair.name)
def test_each_row_holds_for_the_logits_before(folder: Path) -> None:
    """Real files, and the float32 logits that they were made of."""
    stored, exact = tables(folder)
    for name in NAMES:
        low, high = (exact[f"{name}{end}"] for end in ("_lower", "_upper"))
        assert (stored[f"{name}_lower"] <= high).all(), name
        assert (stored[f"{name}_upper"] >= low).all(), name
    for name in ("top1", "top5", "top10"):
        assert (stored[f"{name}_lower"] <= exact[f"{name}_upper"]).all()
        assert (stored[f"{name}_upper"] >= exact[f"{name}_lower"]).all()
    for side in ("base", "other"):
        assert not (stored[f"right_{side}_lower"] & ~exact[f"right_{side}_upper"]).any()
        assert not (exact[f"right_{side}_lower"] & ~stored[f"right_{side}_upper"]).any()


def write_base(path: Path, logits: np.ndarray, labels: np.ndarray) -> None:
    """As llama.cpp writes it: 16 bits from 16 below the greatest logit on; one chunk of rows + 3 tokens or so."""
    rows, classes = logits.shape
    context = 2 * rows + 2  # of which the last half but one is scored
    tokens = np.zeros(context, np.int32)
    tokens[context // 2 + 1 :] = labels
    top = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp((logits - top).astype(np.float64)).sum(axis=1, keepdims=True)).astype(np.float32) + top
    low = np.maximum(logits.min(axis=1, keepdims=True), top - 16).astype(np.float32)
    scale = ((top - low) / np.float32(65535)).astype(np.float32)
    codes = np.clip(np.rint((logits - low) / np.where(scale > 0, scale, 1)), 0, 65535).astype(np.uint16)
    raw = np.zeros((rows, 4 + 2 * ((classes + 1) // 2)), np.uint16)
    raw[:, :4] = np.concatenate([scale, low - log_sum], axis=1).astype("<f4").view("<u2")
    raw[:, 4 : 4 + classes] = codes
    header = np.array([context, classes, 1], np.int32)
    path.write_bytes(b"_logits_" + header.tobytes() + tokens.tobytes() + raw.tobytes())


@pytest.mark.parametrize("seed", range(12))
def test_drawn_rows_hold_for_the_logits_before(seed: int, tmp_path: Path) -> None:
    """Rows with much cut off, with nothing, nearly equal models, and far ones."""
    g = np.random.default_rng(seed)
    rows, classes = 40, int(g.integers(2, 200))
    logits = (g.standard_normal((rows, classes)) * 10.0 ** g.uniform(-1, 1)).astype(np.float32)
    other = (logits + g.standard_normal(logits.shape) * 10.0 ** g.uniform(-5, 1)).astype(np.float32)
    labels = g.integers(classes, size=rows)
    write_base(tmp_path / "base.kld", logits, labels)
    np.save(tmp_path / "base.npy", logits)
    np.save(tmp_path / "other.npy", other)
    test_each_row_holds_for_the_logits_before(tmp_path)


def test_the_dialect_is_llama_perplexitys_own_text(tmp_path: Path) -> None:
    """Whoever has the tool's log must find each line of it, and what the 16 bits leave open beside it."""
    for pair in sorted(HERE.glob("*-*")):
        arguments = (str(pair / "base.kld"), str(pair / "other.npy"), "--dialect", "llama.cpp")
        shown = xent_here("compare", *arguments, cwd=tmp_path)
        assert shown.code == 0, shown.err
        log = (pair / "log.txt").read_text()
        assert log.strip() in shown.out
        found = json.loads(xent_here("compare", *arguments, "--json", cwd=tmp_path).out)["comparisons"][0]["dialect"]
        expected = json.loads((pair / "expected.json").read_text())["lines"]
        assert [line["printed"] for line in found["lines"]] == [line["printed"] for line in expected]
        assert [line["printed_pm"] for line in found["lines"]] == [line["printed_pm"] for line in expected]
        for line, true in zip(found["lines"], expected, strict=True):
            if line["lower"] is not None:
                assert float(line["lower"]) <= true["no_cut"] <= float(line["upper"]), line
    ended = xent_here("compare", str(pair / "base.npy"), str(pair / "other.npy"), *arguments[2:], cwd=tmp_path)
    assert is_one_error(ended)


def test_the_screen_shows_intervals(tmp_path: Path) -> None:
    """One label lies under the floor: the base's mean loss has no upper end, and nobody reads 4.65 as its value."""
    pair = HERE / "q4_0-509"
    ended = xent_here("compare", str(pair / "base.kld"), str(pair / "other.npy"), "--json", cwd=tmp_path)
    found = json.loads(ended.out)["comparisons"][0]["statistics"]
    exact = json.loads((pair / "expected.json").read_text())
    kld = next(line["no_cut"] for line in exact["lines"] if line["line"] == "kld_mean")
    assert found["kl"]["lower"] <= kld <= found["kl"]["upper"]
    assert found["kl"]["upper"] - found["kl"]["lower"] < 2e-4
    assert found["loss_base"]["upper"] == "inf"
    assert (found["correlation"]["lower"], found["correlation"]["upper"]) == (-1.0, 1.0)
    shown = xent_here("compare", str(pair / "base.kld"), str(pair / "other.npy"), cwd=tmp_path).out
    assert "loses at most 0.0842362 nats a row" in " ".join(shown.split())
    assert "at least 4.65464" in shown
