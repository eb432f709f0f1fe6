"""Adversarial families of logits: each one strains another step of a cross-entropy.

`FAMILIES` maps a name to a function (generator, rows, classes, precision) -> logits, [rows, classes], whose values the
precision holds exactly; float64 for float64, else float32.  `draw` adds the labels that make the family what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xentcli.numbers.precision import Precision

Logits = NDArray[np.float32] | NDArray[np.float64]
Labels = NDArray[np.int64]
Family = Callable[[np.random.Generator, int, int, Precision], Logits]


def store(values: NDArray[np.float64], precision: Precision) -> Logits:
    """The nearest numbers that the precision holds (of bfloat16, by way of float32), too large ones at its limit."""
    values = np.clip(values, -precision.largest, precision.largest)
    infinite = np.isinf(values)
    if precision.name == "float64":
        return values
    if precision.name == "float16":
        return values.astype(np.float16).astype(np.float32)
    single = values.astype(np.float32)
    if precision.name == "bfloat16":
        bits = single.view(np.uint32)
        single = (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)
    return np.where(infinite, values.astype(np.float32), single)


def normal(deviation: float) -> Family:
    return lambda rng, rows, classes, precision: store(rng.normal(0, deviation, (rows, classes)), precision)


def cauchy(rng, rows, classes, precision):
    return store(np.clip(rng.standard_cauchy((rows, classes)), -1e4, 1e4), precision)


def ties(rng, rows, classes, precision):
    return store(rng.integers(0, 2, (rows, classes)).astype(float), precision)


def all_equal(rng, rows, classes, precision):
    return store(np.repeat(rng.normal(0, 5, (rows, 1)), classes, axis=1), precision)


def one_against_equals(rng, rows, classes, precision):
    values = np.repeat(-rng.uniform(0, 30, (rows, 1)), classes, axis=1)
    values[:, 0] = 0.0
    return store(values, precision)


def one_hot(rng, rows, classes, precision):
    values = rng.normal(0, 0.5, (rows, classes))
    values[np.arange(rows), rng.integers(0, classes, rows)] += rng.uniform(3, 60, rows)
    return store(values, precision)


def large_offset(rng, rows, classes, precision):
    offset = {"float64": 1e9, "float32": 1e5, "bfloat16": 300.0, "float16": 2000.0}[precision.name]
    return store(offset + rng.normal(0, 1, (rows, classes)), precision)


def huge_gap(rng, rows, classes, precision):
    values = rng.normal(0, 1, (rows, classes))
    values[:, 0] = -rng.uniform(0, 760 if precision.name == "float64" else 112, rows)
    return store(values, precision)


def underflow_edge(rng, rows, classes, precision):
    values = np.repeat(-rng.choice([0.0, 0.5, 40.0], (rows, 1)), classes, axis=1)
    values[:, -1] = 0.0
    values[:, 0] = -underflow_threshold(precision) + rng.uniform(-2, 2, rows)
    return store(values, precision)


def subnormal(rng, rows, classes, precision):
    return store(rng.integers(-50, 50, (rows, classes)) * precision.smallest, precision)


def huge(rng, rows, classes, precision):
    size = {"float64": 1e300, "float32": 1e38, "bfloat16": 1e38, "float16": 3e4}[precision.name]
    return store(rng.choice([-size, size], (rows, classes)), precision)


def masked(rng, rows, classes, precision):
    values = rng.normal(0, 3, (rows, classes))
    values[rng.random((rows, classes)) < 0.3] = -np.inf
    values[:, 0] = 0.0
    single = np.float64 if precision.name == "float64" else np.float32
    return np.where(np.isinf(values), -np.inf, store(np.nan_to_num(values), precision)).astype(single)


def underflow_threshold(precision: Precision) -> float:
    """From this −log p on, rounding to nearest makes the probability zero."""
    return (1 - precision.least_exponent) * math.log(2)


FAMILIES: dict[str, Family] = {
    "normal 0.01": normal(0.01),
    "normal 1": normal(1.0),
    "normal 3": normal(3.0),
    "normal 10": normal(10.0),
    "normal 30": normal(30.0),
    "normal 100": normal(100.0),
    "cauchy": cauchy,
    "ties": ties,
    "all equal": all_equal,
    "one against equals": one_against_equals,
    "one-hot right": one_hot,
    "one-hot wrong": one_hot,
    "large offset": large_offset,
    "huge gap": huge_gap,
    "underflow edge": underflow_edge,
    "subnormal": subnormal,
    "huge": huge,
    "masked": masked,
}

FIRST_CLASS = {"one against equals", "huge gap", "underflow edge"}  # what is special there is class 0


def draw(name: str, rng: np.random.Generator, rows: int, classes: int, precision: Precision) -> tuple[Logits, Labels]:
    """Logits of a family and labels for them."""
    logits = FAMILIES[name](rng, rows, classes, precision)
    labels = rng.integers(0, classes, rows)
    if name in FIRST_CLASS:
        labels = np.zeros(rows, np.int64)
    if name == "one-hot right":
        labels = logits.argmax(axis=1)
    if name == "one-hot wrong":
        labels = (logits.argmax(axis=1) + 1) % classes
    return logits, labels.astype(np.int64)
