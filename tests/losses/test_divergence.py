"""The enclosures of KL, JS and TV hold the true values by Arb, whatever two sets of logits are like, and are tight."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from arb_divergences import divergences
from flint import arb

from xentcli.losses.careful_pairs import enclose_carefully
from xentcli.losses.divergence import diverge
from xentcli.losses.quick_pairs import Board, enclose_quickly

if TYPE_CHECKING:
    from xentcli.losses.enclosed import Divergences

PAIRS = int(os.environ.get("XENT_PAIRS", "100"))  # of each family


def near(g, x, size):
    return x + size * g.standard_normal(x.shape)


def ulp(g, x):
    y = x.copy()
    for row in y:
        row[g.integers(len(row))] *= 1 + np.finfo(x.dtype).eps
    return y


def masked(g, x, *, both):
    y = near(g, x, 1.0)
    cut = g.random(x.shape) < 0.3
    cut[:, 0] = False
    y[cut] = -np.inf
    if both:
        x[cut] = -np.inf
    return y


def peaked(g, x, far):
    """Nearly all mass on one class, on another one in the other side where they are far apart."""
    y = x.copy()
    x[:, 0] += 40.0
    y[:, 0 if not far else -1] += 40.0 if not far else 700.0
    return near(g, y, 1e-3)


FAMILIES = {  # name -> the other side of x, which may change, too
    "equal": lambda g, x: x.copy(),
    "an exact constant": lambda g, x: x + 0.5,
    "a rounded constant": lambda g, x: x + 0.1,
    "one ulp": ulp,
    "nearly the same": lambda g, x: near(g, x, 1e-7),
    "near": lambda g, x: near(g, x, 1e-3),
    "quantised": lambda g, x: np.round(x * 16) / 16,
    "half precision": lambda g, x: x.astype(np.float16).astype(x.dtype),
    "another model": lambda g, x: g.standard_normal(x.shape) * 3,
    "a temperature": lambda g, x: x * 0.7,
    "far apart": lambda g, x: -30.0 * x,
    "beyond underflow": lambda g, x: -400.0 * x,
    "one sure": lambda g, x: peaked(g, x, far=False),
    "sure of different classes": lambda g, x: peaked(g, x, far=True),
    "a class masked on both sides": lambda g, x: masked(g, x, both=True),
    "a class masked on one side": lambda g, x: masked(g, x, both=False),
    "an offset of 1e4": lambda g, x: near(g, x, 1e-2) + 1e4,
    "an offset of 1e30": lambda g, x: near(g, x, 1e-2) + 1e30,
    "tiny logits": lambda g, x: near(g, x, 1.0) * 1e-30,
    "steps around the series' end": lambda g, x: (
        x + g.choice([-1, 1], x.shape) * (2.0**-6 + 2.0**-30 * g.standard_normal(x.shape))
    ),
    "one class far": lambda g, x: x + np.eye(x.shape[1])[g.integers(x.shape[1], size=len(x))] * 5.0,
}
DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": np.float32}
NAMES = (
    "kl",
    "kl_reverse",
    "js",
    "tv",
    "entropy_base",
    "entropy_other",
    "loss_base",
    "loss_other",
    "loss_difference",
    "delta_p",
)


def drawn(family, dtype, classes, rows, seed):
    g = np.random.default_rng([seed, classes, len(family)])
    x = g.standard_normal((rows, classes)) * 10.0 ** g.integers(-2, 2)
    y = FAMILIES[family](g, x)
    with np.errstate(over="ignore"):
        x, y = (side.astype(DTYPES[dtype]) for side in (x, y))
    if dtype == "bfloat16":
        x, y = ((side.view(np.uint32) & 0xFFFF0000).view(np.float32) for side in (x, y))
    if dtype == "float16":
        x, y = (side.astype(np.float32) for side in (x, y))
    labels = g.integers(classes, size=rows)
    return x, y, labels


def check(x, y, labels):
    """What is decided, and what each of the passes says of all rows that it knows, decided or not."""
    with np.errstate(all="ignore"):
        quick, known = enclose_quickly(x, y, labels, Board.memory(*x.shape))
        careful = enclose_carefully(x, y, labels)
    decided = diverge(x, y, labels)
    for row in range(len(x)):
        if not (np.isfinite(x[row].max()) and np.isfinite(y[row].max())):
            assert np.isnan(decided.kl.value[row])
            assert not known[row]
            continue
        truth = divergences(x[row].tolist(), y[row].tolist(), int(labels[row]))
        for found in (decided, careful, *([quick] if known[row] else [])):
            check_row(found, row, truth)


def check_row(found: Divergences, row: int, truth: dict[str, arb | float]) -> None:
    for name in NAMES:
        lower, upper = getattr(found, name).lower[row], getattr(found, name).upper[row]
        true = truth[name]
        if isinstance(true, float):
            assert math.isnan(true) or lower == upper == true, (name, row, lower, upper)
        else:
            is_outside = true < arb(lower) or true > arb(upper)
            assert not is_outside, (name, row, lower, upper, true)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_true_values_are_within(family: str, dtype: str) -> None:
    """Whoever reads a KL of 1e-9 must be able to rely on each digit; Arb has the textbook's own formulas."""
    for seed, classes in enumerate((1, 2, 3, 10, 65, 300)):
        rows = max(1, PAIRS // (8 if classes > 10 else 2))
        x, y, labels = drawn(family, dtype, classes, rows, seed)
        check(x, y, labels)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1_025, 4_097, 50_257])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_true_values_are_within_for_many_classes(family: str, classes: int) -> None:
    """Vocabularies of language models, whose sums have high trees."""
    for dtype in DTYPES:
        x, y, labels = drawn(family, dtype, classes, 2, 7)
        check(x, y, labels)


@pytest.mark.parametrize("size", [1e-6, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("classes", [2, 100, 5_000])
def test_the_enclosures_are_narrow(size: float, classes: int) -> None:
    """A KL of 1e-12 has six certain digits, whatever the offset of the logits."""
    g = np.random.default_rng(classes)
    x = g.standard_normal((50, classes)) * 3 + 30.0
    found = diverge(x, near(g, x, size))
    for each in (found.kl, found.kl_reverse, found.js):
        width = each.radius / each.value
        assert (width[each.value >= 1e-12] <= 1e-6).all()
        assert (width[each.value >= 1e-3] <= 1e-9).all()


@pytest.mark.parametrize("size", [1e-5, 1e-3, 1.0, 30.0])
@pytest.mark.parametrize("classes", [3, 48, 49, 300, 5_000])
def test_the_quick_pass_decides_ordinary_rows(monkeypatch: pytest.MonkeyPatch, size: float, classes: int) -> None:
    """The careful pass takes five times as long: a radius that grew by a mistake would be seen in the time alone."""

    def refused(*_: object) -> Divergences:
        raise AssertionError("a plain row was left open")

    monkeypatch.setattr("xentcli.losses.divergence.enclose_carefully", refused)
    g = np.random.default_rng(classes)
    x = (g.standard_normal((40, classes)) * 3).astype(np.float32)
    x[0] += 1000.0
    x[1:4, 1] = -np.inf
    y = near(g, x, size)
    diverge(x, y)
    diverge(x, x.copy())
    x[5, 0] += 40.0  # a sure row
    diverge(x[:3], near(g, x, size)[:3])


def test_what_a_pass_leaves_open_is_decided_by_the_other() -> None:
    """Rows of float64 that differ in their last bits, or have chances that underflow, must not lose their digits."""
    g = np.random.default_rng(3)
    x = g.standard_normal((3, 200))
    y = x.copy()
    y[0] += 1e-9 * g.standard_normal(200)
    y[1, 3:] -= 650.0
    y[2] += 0.1 * g.standard_normal(200)
    found = diverge(x, y)
    assert (found.kl.radius <= 1e-6 * found.kl.value).all()
    assert found.kl.value[0] < 1e-17
    check(x, y, np.zeros(3, np.int64))


def test_the_threads_of_blas_are_not_seen() -> None:
    """A report must not depend on how many cores the machine has."""
    program = (
        "import hashlib, numpy as np; from xentcli.losses.divergence import diverge\n"
        "g = np.random.default_rng(0); x = g.standard_normal((6, 32_001)); y = x + 0.1 * g.standard_normal(x.shape)\n"
        "found = diverge(x, y); names = 'kl', 'kl_reverse', 'js', 'tv', 'entropy_base', 'loss_other'\n"
        "print(hashlib.sha256(b''.join(getattr(found, name).value.tobytes() for name in names)).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "2", "7")
    }  # fmt: skip
    assert len(seen) == 1
    assert len(seen.pop()) == 65


def test_the_same_models_differ_by_nothing() -> None:
    """Equal bits, or an exact constant, are 0 without a doubt; so they are next to masked classes."""
    x = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    x[1, 3:9] = -np.inf
    for y in (x.copy(), x + np.float32(0)):
        found = diverge(x, y)
        assert found.same.all()
        for name in ("kl", "kl_reverse", "js", "tv", "loss_difference", "delta_p"):
            assert not getattr(found, name).value.any()
            assert not getattr(found, name).radius.any()
    steps = np.array([[0.0, 1.0, -2.0]])
    assert diverge(steps, steps + 0.25).same.all()
    assert not diverge(steps, np.array([[0.1, 1.1, -1.9]])).same.any()  # fl(y - x) is 0.1 three times, rounded


def test_blocks_of_any_size_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and blocks must not be seen in a report."""
    g = np.random.default_rng(1)
    for classes in (3, 1_500):
        x = g.standard_normal((200, classes)).astype(np.float32)
        y = near(g, x, 10.0 ** g.integers(-9, 2, size=(200, 1)))
        y[::7] = x[::7]
        y[::11, 1] = -np.inf
        x[::33, 1:] = -np.inf
        labels = g.integers(classes, size=200)
        whole = diverge(x, y, labels)
        for elements in (classes, 7 * classes):
            for module in ("quick_pairs", "careful_pairs"):
                monkeypatch.setattr(f"xentcli.losses.{module}.ELEMENTS", elements)
            again = diverge(x, y, labels)
            for name in NAMES:
                for end in ("value", "radius"):
                    assert np.array_equal(getattr(getattr(again, name), end), getattr(getattr(whole, name), end)), name
