"""What is within a noise floor and what is beyond it, against floors made by torch and sums of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from process import SAMPLES, is_one_error, xent_here
from scipy import special

from xentcli import compare
from xentcli.cli.compare_options import drawn_by

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = SAMPLES / "digits"
G = np.random.default_rng(3)
BASE = (G.standard_normal((400, 8)) * 3).astype(np.float32)
LABELS = G.integers(8, size=400)


def noisy(size: float, seed: int) -> np.ndarray:
    return (BASE + np.random.default_rng(100 + seed).standard_normal(BASE.shape) * size).astype(np.float32)


def mean_kl(base: np.ndarray, other: np.ndarray) -> np.ndarray:
    p, q = (special.log_softmax(side.astype(np.longdouble), axis=1) for side in (base, other))
    return (np.exp(p) * (p - q)).sum(axis=1).astype(float)


def test_the_digits_in_8_bits_are_within_the_floor_and_in_4_bits_beyond() -> None:
    """The sample is what a reader tries first."""
    files = ("logits.npy", "int8.npy", "int4.npy", "--labels", "labels.npy", "--floor", "floor.npy")
    ended = xent_here("compare", *files, "--json", cwd=DIGITS)
    within, beyond = json.loads(ended.out)["comparisons"]
    assert (within["floor"]["within"], beyond["floor"]["within"]) == ("within", "beyond")
    base, floor, *others = (np.load(DIGITS / f"{name}.npy") for name in ("logits", "floor", "int8", "int4"))
    for one, other in zip((within, beyond), others, strict=True):
        excess = one["floor"]["statistics"]["kl"]["excess"]
        rows = mean_kl(base, other) - mean_kl(base, floor)
        assert excess["value"] == pytest.approx(rows.mean(), rel=1e-11)
        assert excess["lower"] <= excess["value"] <= excess["upper"]
        assert excess["se"] == pytest.approx(rows.std(ddof=1) / np.sqrt(len(rows)), rel=1e-9)
    first, second = (line for line in xent_here("compare", *files, "-q", cwd=DIGITS).out.splitlines())
    assert first.startswith("computed: within the floor of floor.npy, whose KL is 0.000885: ")
    assert second.startswith("computed: beyond the floor of floor.npy")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_derived_floor_rounds_both_sides(dtype: str) -> None:
    """The side that is moved more is the floor; a side that is stored so already is not moved at all."""
    other = noisy(0.5, 1)
    found = compare(BASE, other, LABELS, floor=dtype).comparisons[0].floor
    rounded = [torch.from_numpy(side).to(getattr(torch, dtype)).float().numpy() for side in (BASE, other)]
    own = {
        name: mean_kl(side, low).mean()
        for name, side, low in zip(("base", "other"), (BASE, other), rounded, strict=True)
    }
    assert found.of == max(own, key=own.__getitem__)
    assert found.statistics["kl"].floor.value == pytest.approx(max(own.values()), rel=1e-10)
    assert found.within == "beyond"
    near = compare(BASE, rounded[0], LABELS, floor=dtype).comparisons[0].floor
    assert near.within == "within"


def test_the_same_noise_is_within_its_floor_and_more_is_beyond() -> None:
    """Two draws of one noise differ by chance alone, one a bit above the other: no finding."""
    floor = noisy(0.1, 2)
    again = [compare(BASE, noisy(0.1, seed), LABELS, floor=floor).comparisons[0].floor for seed in range(3, 13)]
    assert [one.within for one in again].count("within") >= 9
    assert any(one.statistics["kl"].excess.value > 0 for one in again)
    more = compare(BASE, noisy(0.15, 3), LABELS, floor=floor).comparisons[0]
    assert more.floor.within == "beyond"
    assert more.summary.startswith("beyond the floor of <floor>")
    less = compare(BASE, noisy(0.05, 3), LABELS, floor=floor).comparisons[0]
    assert less.floor.within == "within"


def test_every_statistic_of_a_difference_has_its_excess() -> None:
    """Shares count from 1 down, means by their size; one side alone is no difference."""
    found = compare(BASE, noisy(0.3, 1), LABELS, floor=noisy(0.1, 2)).comparisons[0]
    told = found.floor.statistics
    assert {"kl", "js", "tv", "same_top", "loss_difference", "rms_delta_p", "kl_99.9", "correlation"} <= told.keys()
    assert not {"loss_base", "ppl_other", "entropy_base", "accuracy_other"} & told.keys()
    same = told["same_top"]
    assert same.excess.value == pytest.approx(same.floor.value - same.value)
    assert same.excess.se is not None
    moved = told["loss_difference"]
    assert moved.excess.value == pytest.approx(abs(moved.value) - abs(moved.floor.value))
    assert told["kl_99.9"].value == found.statistics["kl"].percentiles["99.9"].value


def test_the_curve_of_the_floor_stands_beside_that_of_kl() -> None:
    """A mean KL beyond the floor may be that of a few rows; both curves, drawn together, show where they part."""
    floor = noisy(0.1, 2)
    told = compare(BASE, noisy(0.3, 1), LABELS, floor=floor).comparisons[0].floor.statistics
    rows = mean_kl(BASE, floor)
    found = {name: each.value for name, each in told["kl"].floor.percentiles.items()}
    places = {name: {"min": 0.0, "max": 100.0}.get(name, name) for name in found}
    expected = {name: np.percentile(rows, float(place)) for name, place in places.items()}
    assert found == pytest.approx(expected, rel=1e-6)
    assert len(found) == 13
    assert {name for name, each in told.items() if each.floor.percentiles} == {"kl"}


def test_a_page_draws_differences_against_confidence() -> None:
    """Who asks for a page has not to know which options its pictures take; parts of it must stay alike."""
    assert drawn_by(["class"], ["table", "html"], in_parts=False) == ("class", "confidence")
    assert drawn_by(["confidence"], ["html"], in_parts=False) == ("confidence",)
    assert drawn_by(["class"], ["json"], in_parts=False) == drawn_by(["class"], ["html"], in_parts=True) == ("class",)


def test_a_floor_is_in_every_format_and_refused_where_it_is_none(tmp_path: Path) -> None:
    """Rounding numbers to what they are already is no noise, and everything would be beyond it."""
    np.save(tmp_path / "base.npy", BASE)
    np.save(tmp_path / "other.npy", noisy(0.1, 1))
    for form, told in (
        ("table", "floor?"), ("markdown", "### Beside the floor"), ("csv", ",beyond,"), ("junit", "beyond the floor"),
        ("github", "beyond the floor"), ("json", '"within": "beyond"'),
    ):  # fmt: skip
        ended = xent_here("compare", "base.npy", "other.npy", "--floor", "float16", "-f", form, cwd=tmp_path)
        assert told in ended.out, form
    ended = xent_here("compare", "base.npy", "other.npy", "--floor", "float32", cwd=tmp_path)
    assert is_one_error(ended)
    assert "it is no floor" in ended.err
    np.save(tmp_path / "large.npy", BASE * 1e5)
    ended = xent_here("compare", "large.npy", "large.npy", "--floor", "float16", cwd=tmp_path)
    assert is_one_error(ended)
    assert "large.npy in float16" in ended.err
