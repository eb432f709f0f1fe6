"""Arrays, tensors and nested lists that are in memory already; shared, not copied."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.problem import Array
from xentcli.sources.files import excerpt
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from xentcli.problem import Values

DEEPEST = 32  # dimensions, as many as every numpy has
ACCEPTED = "a tensor, a numpy array, or nested lists of numbers"


def from_memory(value: object, name: str) -> Array:
    """The numbers of a tensor, a numpy array (or what can become one), or nested lists; `name` stands for the path.

    bfloat16 is held as two-byte void with the dtype "bfloat16"; a list of integers alone is int64, another float64.
    """
    if isinstance(value, torch.Tensor):
        return _array(*_from_tensor(value, name), name)
    if isinstance(value, (list, tuple, int, float)) and not isinstance(value, np.generic):
        return _array(_from_lists(value, name), "", name)
    return _array(*_from_numpy(value, name), name)
