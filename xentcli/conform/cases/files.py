"""Arrays as .npy files, which every language reads; bfloat16, which NumPy lacks, as two-byte void."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.numbers.tensors import as_tensor

if TYPE_CHECKING:
    from pathlib import Path


def write_array(path: Path, values: torch.Tensor) -> None:
    """Write the tensor's numbers, in C order."""
    values = values.detach().cpu().contiguous()
    if values.dtype == torch.bfloat16:
        np.save(path, values.view(torch.int16).numpy().view("V2"))
    else:
        np.save(path, values.numpy())


def read_array(path: Path) -> torch.Tensor:
    """The numbers of a file; ValueError or OSError for what is no array."""
    return as_tensor(np.load(path, allow_pickle=False))
