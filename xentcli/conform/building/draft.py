"""A case on its way into the corpus."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.conform.cases.case import Variable

DTYPES = ("float64", "float32", "bfloat16", "float16")
Array = torch.Tensor | dict[str, Any]  # the numbers, or their recipe


@dataclass(frozen=True, eq=False)
class Draft:
    """A case with its arrays; `options` are fields of Case that are not at their defaults."""

    name: str
    about: str
    logits: Array
    target: Array
    weight: torch.Tensor | None = None
    upstream: torch.Tensor | None = None
    variable: Variable = "logits"
    reports: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


Family = tuple[str, str, "Callable[[], Iterator[Draft]]"]  # name, what its fault is, its cases


def generator(name: str) -> np.random.Generator:
    """Numbers of its own for each case, so that a new case leaves the others as they are."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def normal(name: str, shape: tuple[int, ...], dtype: str = "float32", scale: float = 3.0) -> torch.Tensor:
    """Normal logits, rounded to the dtype."""
    return torch.from_numpy(generator(name).normal(0.0, scale, shape)).to(getattr(torch, dtype))


def labels(name: str, shape: tuple[int, ...], classes: int) -> torch.Tensor:
    """Labels of all classes."""
    return torch.from_numpy(generator(name + " labels").integers(0, classes, shape))


def weights(name: str, classes: int, dtype: str = "float32") -> torch.Tensor:
    """Weights from 0.2 to 3, far from 1."""
    return torch.from_numpy(generator(name + " weights").uniform(0.2, 3.0, classes)).to(getattr(torch, dtype))


def probabilities(name: str, shape: tuple[int, ...], dtype: str = "float32") -> torch.Tensor:
    """Target probabilities along axis 1, that sum to 1 up to rounding."""
    raw = torch.from_numpy(generator(name + " target").gamma(1.0, 1.0, shape))
    return (raw / raw.sum(1, keepdim=True)).to(getattr(torch, dtype))


def spread(shape: tuple[int, ...], dtype: str = "float32", scale: float = 12.0, **more: Any) -> dict[str, Any]:
    """A recipe for logits too many to store."""
    return {"recipe": "spread", "shape": list(shape), "dtype": dtype, "scale": scale, **more}


def ramp(shape: tuple[int, ...], dtype: str = "float32", scale: float = 40.0) -> dict[str, Any]:
    """A recipe for logits that rise, or fall, from the first class to the last: each block has a maximum of its own."""
    return {"recipe": "ramp", "shape": list(shape), "dtype": dtype, "scale": scale}


def constant(shape: tuple[int, ...], dtype: str, value: float, **more: Any) -> dict[str, Any]:
    """A recipe for equal numbers."""
    return {"recipe": "constant", "shape": list(shape), "dtype": dtype, "value": value, **more}


def tensor(values: Any, dtype: str = "float32") -> torch.Tensor:
    """Literal numbers."""
    return torch.tensor(values, dtype=getattr(torch, dtype))
