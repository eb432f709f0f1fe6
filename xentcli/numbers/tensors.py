"""The way from numpy to torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.numbers.precision import PRECISIONS, Precision

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values

EXACT_INTEGERS = 2**53  # float64 holds every integer up to here


def precision_of(values: torch.Tensor) -> Precision:
    """The format that the numbers are in."""
    return PRECISIONS[name_of(values.dtype)]


def name_of(dtype: torch.dtype) -> str:
    """What the field calls it."""
    return str(dtype).removeprefix("torch.")


def promoted(left: str, right: str) -> str:
    """The format of a product of two formats' numbers, as torch promotes them."""
    return name_of(torch.promote_types(getattr(torch, left), getattr(torch, right)))


def as_tensor(values: Values) -> torch.Tensor:
    """The same numbers as a tensor, shared where torch can share them; two-byte void is bfloat16."""
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "V":
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    if any(stride < 0 for stride in values.strides):
        values = np.ascontiguousarray(values)
    return torch.from_numpy(np.require(values, requirements="W"))


def as_floats(values: Values, path: str) -> torch.Tensor:
    """The numbers in a format torch computes in; integers as float64, where that is exact."""
    if values.dtype.kind in "iu":
        if values.size and (values.max() > EXACT_INTEGERS or values.min() < -EXACT_INTEGERS):
            raise InputError("integers beyond 2^53 have no exact float64", at=path, hint="save them as floats")
        values = values.astype(np.float64)
    return as_tensor(values)


def sent(values: torch.Tensor, device: str) -> torch.Tensor:
    """The same numbers on a device; they go to CUDA's through pages of memory that it reads by itself."""
    if device != "cuda":
        return values.to(device)
    pinned = torch.empty_like(values, pin_memory=True)  # Tensor.pin_memory refuses what was expanded
    return pinned.copy_(values).to(device, non_blocking=True)
