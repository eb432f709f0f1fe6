"""A head: what makes logits of hidden states, y = h·Wᵀ + b, a few rows at a time and never of all of them at once.

How a product is added up depends on its shape.  So rows are multiplied by groups that depend on the classes alone and
begin at multiples of their size, by one thread: a row's logits are the same however the input is cut into blocks.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from xentcli.errors import InputError
from xentcli.numbers.arrays import own_dtype
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import as_floats, name_of, promoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.numbers.arrays import Array

    Floats = NDArray[np.float64]
    Number = Any  # a dyadic fraction, or an infinity

GROUP_LOGITS = 1 << 21  # of one group of rows
FEWEST_ROWS, MOST_ROWS = 16, 4096  # of a group
TILE_BYTES = 32 << 20  # of the head that are float64 at once
KEPT_BYTES = 64 << 20  # of a head that stays in float64
WHOLE_NUMBERS = 1 << 18  # of a head that stay as integers of any length
OUTWARD = 1.0 + 2.0**-20  # covers the rounding of norms
SMALL = 2.0**-500  # the squares of smaller numbers may be 0


def group_rows(classes: int) -> int:
    """How many rows are multiplied at once: a power of two."""
    fitting = min(max(GROUP_LOGITS // max(1, classes), FEWEST_ROWS), MOST_ROWS)
    return 1 << (fitting.bit_length() - 1)


@dataclass(frozen=True, eq=False)
class Product:
    """The true logits of some rows, enclosed, and what they are the product of.

    A row's logits are its hidden states times those of the layer, exactly; those here are within the error of float64.
    """

    logits: torch.Tensor  # [rows, classes], float64
    hidden: torch.Tensor  # [rows, width]
    reach: Floats  # no less than the Euclidean norm of a row's hidden states; [rows]
    layer: Layer

    @property
    def size(self) -> Floats:
        """No less than Σ|h_i·w_ci| + |b_c| of any class c whose bias is finite; [rows]."""
        with np.errstate(all="ignore"):
            return self.reach * (self.layer.norm * OUTWARD) + self.layer.shift

    def part(self, start: int, stop: int) -> Product:
        """Some of the rows; they share its memory."""
        return Product(self.logits[start:stop], self.hidden[start:stop], self.reach[start:stop], self.layer)

    def exactly(self, row: int) -> list[Number]:
        """The logits of a row of finite numbers."""
        return self.layer.exactly(self.hidden[row])


@dataclass(frozen=True, eq=False)
class Layer:
    """A head in one floating-point format."""

    weight: torch.Tensor  # [classes, width]
    bias: torch.Tensor | None  # [classes]; −inf masks a class

    @property
    def width(self) -> int:
        return self.weight.shape[1]

    @cached_property
    def norm(self) -> float:
        """No less than the Euclidean norm of each class's weights."""
        return max(float(_norms(each).amax()) for _, each in self._tiles())

    @cached_property
    def shift(self) -> float:
        """The greatest absolute value of the bias that is finite."""
        if self.bias is None:
            return 0.0
        return float(self.bias.double().masked_fill(~self.bias.isfinite(), 0.0).abs().amax())

    def linear(self, hidden: torch.Tensor) -> torch.Tensor:
        """The logits as torch computes them in the format of both; [rows, width] -> [rows, classes]."""
        with one_thread():
            step = group_rows(len(self.weight))
            groups = [hidden[first : first + step].clone() for first in range(0, max(1, len(hidden)), step)]
            logits = [functional.linear(each, self.weight, self.bias) for each in groups]
        return logits[0] if len(logits) == 1 else torch.cat(logits)

    def product(self, hidden: torch.Tensor) -> torch.Tensor:
        """The same in float64, whatever the formats: each product rounded once, and each addition."""
        rows, step = hidden.double(), group_rows(len(self.weight))
        logits = torch.empty(len(rows), len(self.weight), dtype=torch.float64)
        with one_thread():
            for start, tile in self._tiles():
                for first in range(0, len(rows), step):
                    group = slice(first, first + step)
                    logits[group, start : start + len(tile)] = rows[group] @ tile.T
        return logits if self.bias is None else logits.add_(self.bias.double())

    def of(self, hidden: torch.Tensor) -> Product:
        """The true logits of rows that begin where a group does."""
        return Product(self.product(hidden), hidden, _norms(hidden.double()).numpy(), self)

    def exactly(self, hidden: torch.Tensor) -> list[Number]:
        """The logits of one row of finite numbers, [width]."""
        state, scale = _integers(hidden[None])
        own: list[Number] = []
        for weights, unit in self._integers():
            own.extend(_scaled(int(each), scale + unit) for each in weights @ state[0])
        if self.bias is None:
            return own
        return [_sum(each, shift) for each, shift in zip(own, self.bias.double().tolist(), strict=True)]

    def _tiles(self) -> Iterator[tuple[int, torch.Tensor]]:
        """The weights of some classes in float64 at a time, and the first of these."""
        step = max(1, TILE_BYTES // max(1, 8 * self.width))
        for start in range(0, len(self.weight), step):
            yield start, self._doubles[start : start + step].double()

    @cached_property
    def _doubles(self) -> torch.Tensor:
        """The weights in float64 where these are few, else as they are."""
        return self.weight.double() if 8 * self.weight.numel() <= KEPT_BYTES else self.weight

    def _integers(self) -> Iterator[tuple[NDArray[Any], int]]:
        """The weights of some classes at a time as integers, and the power of two that is their unit."""
        if self.weight.numel() <= WHOLE_NUMBERS:
            yield self._whole
            return
        step = max(1, WHOLE_NUMBERS // max(1, self.width))
        for start in range(0, len(self.weight), step):
            yield _integers(self.weight[start : start + step])

    @cached_property
    def _whole(self) -> tuple[NDArray[Any], int]:
        return _integers(self.weight)


@dataclass(frozen=True, eq=False)
class Head:
    """The weights and the bias of a linear layer, as they are stored; read once."""

    weight: Array  # [classes, width]
    bias: Array | None  # [classes]
    _layers: dict[str, Layer] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    @cached_property
    def stored(self) -> Layer:
        """As it is stored."""
        bias = None if self.bias is None else _loaded(self.bias, "number of the bias", masks=True).reshape(-1)
        return Layer(_loaded(self.weight, "weight of the head"), bias)

    def in_format(self, dtype: str) -> Layer:
        """Cast to this format; InputError for a number that is beyond it."""
        with self._lock:
            if dtype not in self._layers:
                self._layers[dtype] = self._cast(dtype)
            return self._layers[dtype]

    def fits(self, dtype: str) -> bool:
        """Whether the format has all numbers of those that this is stored in."""
        stored = (self.stored.weight, self.stored.bias)
        return all(promoted(name_of(each.dtype), dtype) == dtype for each in stored if each is not None)

    def formats(self) -> Iterator[tuple[Array, str]]:
        """Each array that has a format of its own, with that."""
        for array in (self.weight, self.bias):
            found = None if array is None else own_dtype(array)
            if array is not None and found is not None:
                yield array, found

    @cached_property
    def digests(self) -> tuple[str, str | None]:
        """SHA-256 of all numbers of the weights, and of the bias."""
        bias = self.stored.bias
        return _digest(self.stored.weight), None if bias is None else _digest(bias)

    def _cast(self, dtype: str) -> Layer:
        stored, kind = self.stored, getattr(torch, dtype)
        bias = None if stored.bias is None else stored.bias.to(kind)
        weight = stored.weight.to(kind)
        for array, cast, before in ((self.weight, weight, stored.weight), (self.bias, bias, stored.bias)):
            if array is None or cast is None or before is None or fits_in(cast, before):
                continue
            raise InputError(
                f"a number of the head is beyond {dtype}",
                at=array.path,
                found=f"{before[cast.isinf() & ~before.isinf()][0].item():.6g}",
                expected=f"less than {float(PRECISIONS[dtype].largest):.6g}",
                hint="--dtype float32",
            )
        is_same = weight is stored.weight and bias is stored.bias
        return stored if is_same else Layer(weight, bias)


def _norms(rows: torch.Tensor) -> torch.Tensor:
    """No less than the Euclidean norms, [rows, width] -> [rows]."""
    norms: torch.Tensor = torch.linalg.vector_norm(rows, dim=1) * OUTWARD + SMALL * rows.shape[1]
    return norms


def fits_in(cast: torch.Tensor, before: torch.Tensor) -> bool:
    """Whether a cast made nothing infinite."""
    return bool((cast.isinf() == before.isinf()).all())


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch add up a product the same way, whatever the number of its threads."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _loaded(array: Array, what: str, *, masks: bool = False) -> torch.Tensor:
    """All numbers in memory of torch's own; InputError for one that is not finite, but for −inf where it masks."""
    step = max(1, TILE_BYTES // max(1, math.prod(array.shape[1:]) * array.kind.itemsize))
    parts, entries = [], array.shape[0] if array.shape else 1
    for start in range(0, entries, step):
        part = as_floats(array.read(0, start, min(start + step, entries)), array.path).clone()
        wrong = ~part.isfinite() & ~(part.isneginf() if masks else torch.zeros((), dtype=torch.bool))
        if wrong.any():
            first, *others = np.argwhere(wrong.numpy())[0].tolist()
            raise InputError(
                f"a {what} is not finite",
                at=array.at((start + first, *others)),
                found=str(part[wrong][0].item()),
                expected="a finite number" + ", or -inf, which masks the class" * masks,
            )
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _digest(values: torch.Tensor) -> str:
    return hashlib.sha256(values.contiguous().view(torch.uint8).numpy().data).hexdigest()


def _integers(values: torch.Tensor) -> tuple[NDArray[Any], int]:
    """Finite numbers as Python's integers, and the power of two that is their unit."""
    digits, exponents = np.frexp(values.double().numpy())
    wholes, powers = np.ldexp(digits, 53).astype(np.int64), exponents.astype(np.int64) - 53
    unit = int(powers[wholes != 0].min()) if wholes.any() else 0
    shifts = np.where(wholes != 0, powers - unit, 0)
    return np.left_shift(wholes.astype(object), shifts.astype(object)), unit


def _scaled(whole: int, power: int) -> Fraction:
    return Fraction(whole << power) if power >= 0 else Fraction(whole, 1 << -power)


def _sum(own: Number, shift: float) -> Number:
    return shift if math.isinf(shift) else own + Fraction(shift)
