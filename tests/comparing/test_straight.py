"""The best line through both sides' logits, their cosine and root mean square: against exact fractions, and tight."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import xentcli

G = np.random.default_rng(8)
NAMES = ("rmse_logit", "cosine_logit", "affine_slope", "affine_offset", "affine_residual")


def exact(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """By the definitions, in fractions, of the classes that neither side masks."""
    rows = [
        [(Fraction(float(one)), Fraction(float(two))) for one, two in zip(*pair, strict=True) if math.isfinite(one)]
        for pair in zip(x, y, strict=True)
    ]
    n = sum(map(len, rows))
    means = [(sum(one for one, _ in row) / len(row), sum(two for _, two in row) / len(row)) for row in rows]
    own = joint = Fraction(0)
    for row, (mean_x, mean_y) in zip(rows, means, strict=True):
        own += sum((one - mean_x) ** 2 for one, _ in row)
        joint += sum((one - mean_x) * (two - mean_y) for one, two in row)
    slope = joint / own
    offsets = [mean_y - slope * mean_x for mean_x, mean_y in means]
    rest = sum((two - slope * one - b) ** 2 for row, b in zip(rows, offsets, strict=True) for one, two in row)
    xx, xy, yy = (sum(row_sum) for row_sum in zip(*(
        (sum(a * a for a, _ in row), sum(a * b for a, b in row), sum(b * b for _, b in row)) for row in rows
    ), strict=True))  # fmt: skip
    return {
        "rmse_logit": math.sqrt(sum((two - one) ** 2 for row in rows for one, two in row) / n),
        "cosine_logit": float(xy) / math.sqrt(xx * yy),
        "affine_slope": float(slope),
        "affine_offset": float(sum(offsets) / len(offsets)),
        "affine_residual": math.sqrt(rest / n),
    }


def near(x: np.ndarray, by: float) -> np.ndarray:
    return (x + by * G.standard_normal(x.shape)).astype(x.dtype)


X = (G.standard_normal((12, 7)) * 3.0).astype(np.float32)
WIDE = (G.standard_normal((3, 300)) * 3.0).astype(np.float32)
MASKED = np.where(np.arange(7) == 2, -np.inf, X).astype(np.float32)
FAMILIES = {
    "near": (X, near(X, 0.01), 1e-11),
    "one ulp": (X, np.nextafter(X, np.float32(9.0)), 1e-11),
    "far": (X, near(X, 5.0), 1e-11),
    "a temperature": (X, X * np.float32(0.5), 1e-11),
    "an offset": (X + np.float32(300.0), near(X, 0.1), 1e-6),
    "many classes": (WIDE, near(WIDE, 0.1), 1e-10),
    "masked": (MASKED, np.where(np.isinf(MASKED), -np.inf, near(X, 0.1)).astype(np.float32), 1e-11),
    "spread": (X * 100.0, near(X * 100.0, 0.1), 1e-10),
    "float64": (X.astype(np.float64), near(X.astype(np.float64), 1e-9), 1e-11),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ends_hold_the_exact_number_and_are_near(family: str) -> None:
    """A certified digit that is wrong is worse than none, and ends that hold everything tell nothing."""
    x, y, width = FAMILIES[family]
    found = xentcli.compare(x, y).comparisons[0].statistics
    for name, value in exact(x, y).items():
        one = found[name]
        slack = 2.0**-51 * abs(value)  # of the reference's own last rounding
        assert one.lower - slack <= value <= one.upper + slack, name
        assert one.upper - one.lower <= width * (1.0 + abs(value)) + 3e-5 * (name == "affine_residual"), name


def test_equal_sides() -> None:
    """Nothing is left of a side against itself."""
    found = xentcli.compare(X, X).comparisons[0].statistics
    assert (found["rmse_logit"].upper, found["affine_residual"].upper) == (0.0, 0.0)
    assert found["affine_slope"].lower <= 1.0 <= found["affine_slope"].upper
    flat = np.ones((4, 3), np.float32)
    assert "affine_slope" not in xentcli.compare(flat, flat).comparisons[0].statistics
