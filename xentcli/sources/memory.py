"""Arrays, tensors and nested lists that are in memory already; shared, not copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.files import excerpt
from xentcli.sources.lists import from_lists
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values


def from_memory(value: object, name: str) -> Array:
    """The numbers of a tensor, of what numpy takes for an array, or of nested lists; `name` stands for the path.

    bfloat16 is held as two-byte void with the dtype "bfloat16"; integers in lists are int64, with floats float64.
    """
    is_bfloat16 = False
    if isinstance(value, torch.Tensor):
        values = _from_tensor(value, name)
        is_bfloat16 = value.dtype == torch.bfloat16
    elif hasattr(value, "__array__"):
        values = _from_numpy(value, name)
        is_bfloat16 = values.dtype.name == "bfloat16"
    else:
        return from_lists(value, name)
    if is_bfloat16:
        return Array(*in_memory(values.view("V2")), name, "memory", "bfloat16", element)
    return Array(*in_memory(values), name, "memory", dtype_name(values.dtype, name), element)


def _from_tensor(tensor: torch.Tensor, name: str) -> Values:
    """The tensor's own memory where numpy can see it; bfloat16, which numpy lacks, as integers of the same bits."""
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        return (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy()
    except (RuntimeError, TypeError) as error:
        raise InputError(
            "this tensor has no plain numbers",
            at=name,
            found=f"{tensor.dtype}, {tensor.layout}, on {tensor.device}",
            expected="a dense tensor of floats or integers",
        ) from error


def _from_numpy(value: object, name: str) -> Values:
    if np.ma.is_masked(value):
        raise InputError("some of the numbers are masked", at=name, hint="labels? fill them with ignore_index")
    try:
        return np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            "this does not become an array", at=name, found=f"{type(value).__name__}: {excerpt(str(error), 70)}"
        ) from error
