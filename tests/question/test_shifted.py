"""`--shift`: logits and inputs of a language model give the loss of the next token, however they are stored and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from process import is_one_error, xent_here
from torch.nn import functional

from xentcli import InputError, compute

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(2)
LOGITS = G.standard_normal((3, 6, 5)).astype(np.float32)
TOKENS = G.integers(0, 5, (3, 6))


def true_mean(logits: np.ndarray, tokens: np.ndarray, ignore_index: int = -100) -> float:
    x = torch.from_numpy(logits).double()[..., :-1, :].reshape(-1, logits.shape[-1])
    y = torch.from_numpy(tokens)[..., 1:].reshape(-1)
    return functional.cross_entropy(x, y, ignore_index=ignore_index).item()


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 6, 5), None), ((6, 5), None), ((2, 3, 6, 5), None), ((3, 5, 6), 1), ((5, 3, 6), 0)]
)
@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 20])
def test_each_position_predicts_the_next(shape: tuple[int, ...], axis: int | None, block_bytes: int) -> None:
    """The loss of every language model; the classes may stand on any axis, and blocks may be of any size."""
    last = len(shape) - 1 if axis is None else axis
    logits = G.standard_normal(shape).astype(np.float32)
    samples = np.delete(shape, last)
    tokens = G.integers(0, 5, samples)
    report = compute(logits, tokens, shift=True, class_axis=axis, block_bytes=block_bytes)
    assert report.verdict == "holds"
    assert report.losses.reference is not None
    expected = true_mean(np.moveaxis(logits, last, -1), tokens)
    assert report.losses.reference.lower == pytest.approx(expected, rel=1e-12)


def test_rows_are_those_of_the_positions_that_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding is ignored as everywhere, and an error names the token where it stands in the file."""
    tokens = TOKENS.copy()
    tokens[:, -2:] = -100
    for whole in (64 << 20, 0):
        monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", whole)
        report = compute(LOGITS, tokens, shift=True)
        assert (report.counts.samples, report.counts.ignored) == (15, 6)
        assert report.losses.library.value == pytest.approx(true_mean(LOGITS, tokens), rel=1e-6)
    tokens[1, 3] = 9
    with pytest.raises(InputError) as caught:
        compute(LOGITS, tokens, shift=True)
    assert "[1, 3]" in str(caught.value)


def test_shards_partials_and_jobs(tmp_path: Path) -> None:
    """The option goes wherever the files go."""
    for part in range(3):
        np.save(tmp_path / f"z{part}.npy", LOGITS[part : part + 1])
        np.save(tmp_path / f"y{part}.npy", TOKENS[part : part + 1])
    files = ("z*.npy", "y*.npy", "--shift")
    told = xent_here("compute", *files, "-q", cwd=tmp_path)
    assert f"{true_mean(LOGITS, TOKENS):.6f}"[:7] in told.out
    for share in (1, 2, 3):
        ended = xent_here("compute", *files, "--shard", f"{share}/3", "--partial", f"{share}.json", "-qq", cwd=tmp_path)
        assert ended.code == 0
    merged = xent_here(
        "merge", "1.json", "2.json", "3.json", "--expect", f"{true_mean(LOGITS, TOKENS):.6f}", cwd=tmp_path
    )
    assert (merged.code, merged.err) == (0, "")
    assert "--shift" in merged.out


@pytest.mark.parametrize(
    ("tokens", "told"),
    [(TOKENS[:, 1:], "leave --shift out"), (TOKENS.astype(float), "float64"), (TOKENS[0], "a token for each position")],
)
def test_what_is_no_input_of_a_model(tokens: np.ndarray, told: str, tmp_path: Path) -> None:
    """Labels that are shifted already would be shifted twice."""
    np.save(tmp_path / "z.npy", LOGITS)
    np.save(tmp_path / "y.npy", tokens)
    ended = xent_here("compute", "z.npy", "y.npy", "--shift", cwd=tmp_path)
    assert is_one_error(ended)
    assert told in ended.err


def test_a_sequence_of_one_position() -> None:
    """It has no next token."""
    with pytest.raises(InputError, match="one position"):
        compute(LOGITS[:, :1], TOKENS[:, :1], shift=True)
