"""Arrays by rule instead of by file: integer arithmetic that every language repeats, for cases too big to store."""

from __future__ import annotations

import math
from typing import Any

import torch

FACTOR = 2654435761  # Knuth's multiplicative hash: odd, so that i·FACTOR mod 2^32 visits everything
MODULUS = 1 << 32
CHUNK = 1 << 22


def make(recipe: dict[str, Any]) -> torch.Tensor:
    """The array of a recipe, in C order, i the number of the element.

    constant  value
    spread    scale·(h/2^32 − 1/2) with h = i·FACTOR mod 2^32, rounded to the dtype once
    cycle     (h >> 16) mod classes
    ramp      scale·c/C with c the class of the element, C how many there are, rounded to the dtype once

    Then, of `masked: [first, stop]`, −inf in the classes (axis 1) from the first to the one before stop.
    """
    dtype = getattr(torch, recipe["dtype"])
    shape = tuple(recipe["shape"])
    values = _filled(recipe, shape, dtype)
    if "masked" in recipe:
        values[:, slice(*recipe["masked"])] = -math.inf
    return values


def _filled(recipe: dict[str, Any], shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    if recipe["recipe"] == "constant":
        return torch.full(shape, recipe["value"], dtype=dtype)
    if recipe["recipe"] == "ramp":
        steps = float(recipe["scale"]) * (torch.arange(shape[1]).double() / shape[1])
        return steps.to(dtype).reshape(1, -1, *(1 for _ in shape[2:])).expand(shape).clone()
    values = torch.empty(math.prod(shape), dtype=dtype)
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        hashes = torch.arange(start, start + len(chunk)) % MODULUS * FACTOR % MODULUS
        chunk[:] = _cycle(hashes, recipe) if recipe["recipe"] == "cycle" else _spread(hashes, recipe)
    return values.reshape(shape)


def _spread(hashes: torch.Tensor, recipe: dict[str, Any]) -> torch.Tensor:
    return float(recipe["scale"]) * (hashes.double() / MODULUS - 0.5)


def _cycle(hashes: torch.Tensor, recipe: dict[str, Any]) -> torch.Tensor:
    return (hashes >> 16) % int(recipe["classes"])
