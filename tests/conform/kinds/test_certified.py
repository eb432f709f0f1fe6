"""What is certified of other losses, against the same formulas in mpmath, their gradients by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from xentcli.conform.kinds.bounded import TRUTH
from xentcli.conform.kinds.call import LOSS, Call
from xentcli.conform.kinds.names import NAMES
from xentcli.conform.kinds.registry import KINDS

Exact = Any  # a number of mpmath, or a nested list of them
MOST_WORK = 3000  # exponentials, times entries that are moved
STEP = mpmath.mpf(10) ** -25  # of a central difference: its error is about 10^-50


def exact(values: torch.Tensor) -> Exact:
    """A tensor as nested lists of exact numbers."""
    if values.ndim == 0:
        return mpmath.mpf(values.item())
    return [exact(each) for each in values]


def log_sum_exp(row: list[Exact]) -> Exact:
    top = max(row)
    return top + mpmath.log(mpmath.fsum(mpmath.exp(each - top) for each in row))


def cross_entropy(logits: list[list[Exact]], arrays: dict[str, Exact], call: Call, z: float = 0.0) -> list[Exact]:
    """The losses [rows], or one total, of logits [rows, classes]."""
    eps = mpmath.mpf(call.option("label_smoothing", 0.0))
    weight = arrays.get("class_weight") or [mpmath.mpf(1)] * len(logits[0])
    losses, weights = [], []
    for row, label in zip(logits, (int(each) for each in arrays["target"]), strict=True):
        if label == call.option("ignore_index", -100):
            losses.append(mpmath.mpf(0))
            continue
        total = log_sum_exp(row)
        logs = [total - each for each in row]
        smooth = mpmath.fsum(w * each for w, each in zip(weight, logs, strict=True)) / len(row) if eps else 0
        losses.append((1 - eps) * weight[label] * logs[label] + eps * smooth + mpmath.mpf(z) * total**2)
        weights.append(weight[label])
    return reduced(losses, call, mpmath.fsum(weights))


def reduced(losses: list[Exact], call: Call, divisor: Exact) -> list[Exact]:
    reduction = call.option("reduction", "mean")
    if reduction == "none":
        return losses
    return [mpmath.fsum(losses) / (divisor if reduction == "mean" else 1)]


def linear(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    shift = arrays.get("bias") or [mpmath.mpf(0)] * len(arrays["weight"])
    logits = [
        [mpmath.fdot(row, head) + own for head, own in zip(arrays["weight"], shift, strict=True)]
        for row in arrays["hidden"]
    ]
    return cross_entropy(logits, arrays, call)


REFERENCES: dict[str, Callable[[dict[str, Exact], Call], list[Exact]]] = {"linear": linear}


def work(call: Call) -> int:
    """About how many exponentials a loss and its differences take."""
    each = max(array.numel() for name, array in call.arrays.items())
    return each * (1 + 2 * sum(call.arrays[name].numel() for name in call.gradients))


CASES = [(name, case) for name in NAMES for case in KINDS[name].cases()]


@pytest.mark.parametrize(("name", "call"), [pytest.param(*each, id=f"{each[0]}:{each[1].name}") for each in CASES])
def test_the_true_loss_is_enclosed(name: str, call: Call) -> None:
    """A certified value that is not the truth fails what is right; a wide one fails nothing."""
    if max(array.numel() for array in call.arrays.values()) > MOST_WORK:
        pytest.skip("the float64 product of this one is tested by its smaller sisters")
    with mpmath.workdps(60):
        truth = REFERENCES[name]({key: exact(array) for key, array in call.arrays.items()}, call)
        assert_enclosed(KINDS[name].formula(call, TRUTH)[LOSS], truth)


@pytest.mark.parametrize("name", NAMES)
def test_the_true_gradients_are_enclosed(name: str) -> None:
    """A gradient is that of the loss: differences of the exact loss say so without any formula for it."""
    chosen = sorted((case for case in KINDS[name].cases() if case.gradients), key=work)[:3]
    with mpmath.workdps(80):
        for call in chosen:
            found = KINDS[name].formula(call, TRUTH)
            for key in call.gradients:
                assert_enclosed(found[key], differences(name, call, key))


def differences(name: str, call: Call, key: str) -> list[Exact]:
    """The gradient of the loss, times what comes from above, by central differences."""
    upstream = [mpmath.mpf(1)] if call.upstream is None else list(map(mpmath.mpf, call.upstream.reshape(-1).tolist()))

    def total(index: int, step: Exact) -> Exact:
        arrays = {each: exact(array) for each, array in call.arrays.items()}
        *path, last = np.unravel_index(index, tuple(call.arrays[key].shape))
        row = arrays[key]
        for each in path:
            row = row[each]
        row[last] += step
        losses = REFERENCES[name](arrays, call)
        above = upstream * len(losses) if len(upstream) == 1 else upstream
        return mpmath.fsum(a * b for a, b in zip(above, losses, strict=True))

    count = call.arrays[key].numel()
    return [(total(index, STEP) - total(index, -STEP)) / (2 * STEP) for index in range(count)]


def assert_enclosed(found: Any, truth: list[Exact]) -> None:
    values, errors = found.value.reshape(-1), found.error.reshape(-1)
    assert len(values) == len(truth)
    for value, error, each in zip(values.tolist(), errors.tolist(), truth, strict=True):
        if mpmath.isfinite(each):
            assert abs(each - mpmath.mpf(value)) <= mpmath.mpf(error) + mpmath.mpf(10) ** -40 * (1 + abs(each))
            assert error <= 1e-10 * (1.0 + abs(value))
        else:
            assert value == float(each) or (value != value and each != each)
