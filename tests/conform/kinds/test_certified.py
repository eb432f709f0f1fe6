"""What is certified of other losses, against the same formulas in mpmath, their gradients by differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest

from xentcli.conform.kinds.bounded import TRUTH
from xentcli.conform.kinds.call import LOSS, Call
from xentcli.conform.kinds.names import NAMES
from xentcli.conform.kinds.registry import KINDS

if TYPE_CHECKING:
    import torch

Exact = Any  # a number of mpmath, or a nested list of them
MOST_WORK = 1000  # entries of an array whose loss is taken exactly
STEP = mpmath.mpf(10) ** -45  # of a central difference: its error is about 10^-60, or 10^-30 of the greatest slope


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


def every(logits: list[list[Exact]], change: Callable[[Exact], Exact]) -> list[list[Exact]]:
    return [[change(each) for each in row] for row in logits]


def z_loss(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    return cross_entropy(arrays["logits"], arrays, call, z=call.option("z_loss"))


def softcap(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    cap = mpmath.mpf(call.option("softcap"))
    return cross_entropy(every(arrays["logits"], lambda x: cap * mpmath.tanh(x / cap)), arrays, call)


def scale(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    return cross_entropy(every(arrays["logits"], lambda x: x * call.option("scale")), arrays, call)


def shift(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    total, count = mpmath.mpf(0), 0
    for logits, labels in zip(arrays["logits"], arrays["target"], strict=True):
        for row, label in zip(logits[:-1], map(int, labels[1:]), strict=True):
            if label != call.option("ignore_index", -100):
                total += log_sum_exp(row) - row[label]
                count += 1
    return [total / call.option("num_items_in_batch", count)]


def given(arrays: dict[str, Exact], call: Call, log: Callable[[Exact], Exact]) -> list[Exact]:
    weight = arrays.get("class_weight") or [mpmath.mpf(1)] * len(arrays["given"][0])
    kept = [label != call.option("ignore_index", -100) for label in arrays["target"]]
    pairs = list(zip(arrays["given"], map(int, arrays["target"]), kept, strict=True))
    losses = [-weight[label] * log(row[label]) if keep else mpmath.mpf(0) for row, label, keep in pairs]
    return reduced(losses, call, mpmath.fsum(weight[label] for _, label, keep in pairs if keep))


def flat(values: Exact) -> list[Exact]:
    return [each for row in values for each in row]


def elements(arrays: dict[str, Exact], call: Call, of: Callable[..., Exact]) -> list[Exact]:
    rows = zip(arrays["logits"], arrays["target"], strict=True)
    losses = [of(x, t, column) for xs, ts in rows for column, (x, t) in enumerate(zip(xs, ts, strict=True))]
    return reduced(losses, call, len(losses))


def softplus(x: Exact) -> Exact:
    return mpmath.log1p(mpmath.exp(x))


def binary(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    weight = arrays.get("pos_weight") or [mpmath.mpf(1)] * len(arrays["logits"][0])
    return elements(arrays, call, lambda x, t, c: weight[c] * t * softplus(-x) + (1 - t) * softplus(x))


def focal(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    alpha, gamma = mpmath.mpf(call.option("alpha")), call.option("gamma")

    def loss(x: Exact, t: Exact, _column: int) -> Exact:
        v = x if t == 0 else -x
        return (alpha if t else 1 - alpha) * (1 / (1 + mpmath.exp(-v))) ** gamma * softplus(v)

    return elements(arrays, call, loss)


def log_softmax(row: list[Exact]) -> list[Exact]:
    total = log_sum_exp(row)
    return [each - total for each in row]


def between(left: list[Exact], right: list[Exact]) -> Exact:
    """KL of logarithms, without the classes that left excludes."""
    pairs = zip(left, right, strict=True)
    return mpmath.fsum(mpmath.exp(a) * (a - b) for a, b in pairs if a != -mpmath.inf)


def kl_div(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    terms = []
    for ell, t in zip(flat(arrays["given"]), flat(arrays["target"]), strict=True):
        p = mpmath.exp(t) if call.option("log_target") else t
        terms.append(p * (mpmath.log(p) - ell) if p else mpmath.mpf(0))
    return divided(terms, call, len(arrays["given"]))


def divided(terms: list[Exact], call: Call, rows: int) -> list[Exact]:
    count = {"mean": len(terms), "batchmean": rows}.get(call.option("reduction"), 1)
    return terms if call.option("reduction") == "none" else [mpmath.fsum(terms) / count]


def kl(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    pairs = zip(arrays["logits"], arrays["other"], strict=True)
    return divided([between(log_softmax(y), log_softmax(x)) for x, y in pairs], call, len(arrays["logits"]))


def js(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    losses = []
    for x, y in zip(arrays["logits"], arrays["other"], strict=True):
        left, right = log_softmax(x), log_softmax(y)
        sums = [mpmath.exp(a) + mpmath.exp(b) for a, b in zip(left, right, strict=True)]
        middle = [mpmath.log(each / 2) if each else mpmath.mpf(0) for each in sums]
        losses.append((between(left, middle) + between(right, middle)) / 2)
    return divided(losses, call, len(losses))


def vocabulary_shards(arrays: dict[str, Exact], call: Call) -> list[Exact]:
    parts = [arrays[f"shards{number}"] for number in range(call.option("parts"))]
    return cross_entropy([[each for part in row for each in part] for row in zip(*parts, strict=True)], arrays, call)


REFERENCES: dict[str, Callable[[dict[str, Exact], Call], list[Exact]]] = {
    "linear": linear,
    "z-loss": z_loss,
    "softcap": softcap,
    "scale": scale,
    "shift": shift,
    "nll": lambda arrays, call: given(arrays, call, lambda entry: entry),
    "probabilities": lambda arrays, call: given(arrays, call, lambda p: mpmath.log(p) if p else -mpmath.inf),
    "binary": binary,
    "focal": focal,
    "kl-div": kl_div,
    "kl": kl,
    "js": js,
    "vocabulary-shards": vocabulary_shards,
}


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
    chosen = sorted((case for case in KINDS[name].cases() if case.gradients), key=work)[:2]
    with mpmath.workdps(110):
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
            assert value == float(each) or (math.isnan(value) and mpmath.isnan(each))
