"""Arrays as .npy files, which every language reads; bfloat16, which NumPy lacks, as two-byte void."""

from __future__ import annotations

import math
import stat
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.errors import XentError
from xentcli.numbers.tensors import as_tensor
from xentcli.sources.readers.npy import MAGIC, read_header
from xentcli.sources.source import Stream

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
    """The numbers of one of our own files."""
    return as_tensor(np.load(path, allow_pickle=False))


def read_answer(folder: Path, name: str, most_bytes: int) -> torch.Tensor:
    """The numbers of a file that a stranger wrote into the folder; ValueError says what it is instead.

    A file outside, a pipe that nobody writes to, a gigabyte of holes and a header that parsers trip over are answers,
    too, and none of them may harm whoever asked.
    """
    try:
        path = (folder / name).resolve(strict=True)
        if folder.resolve() not in path.parents:
            raise ValueError("is outside of the folder of this call")
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("is no regular file")
        with path.open("rb") as file:
            return _parsed(file.read(most_bytes + 1), most_bytes)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
        raise ValueError(f"is no .npy file: {type(error).__name__}") from None


def _parsed(data: bytes, most_bytes: int) -> torch.Tensor:
    if len(data) > most_bytes:
        raise ValueError(f"has more than {most_bytes:,} bytes, where no answer has")
    if not data.startswith(MAGIC):
        raise ValueError(f"is no .npy file: it starts with {data[: len(MAGIC)]!r}")
    stream = Stream([data])
    try:
        header = read_header("the answer", stream)
        values = np.frombuffer(data, header.dtype, count=math.prod(header.shape), offset=stream.position)
        return as_tensor(values.copy().reshape(header.shape, order="F" if header.is_fortran else "C"))
    except (XentError, ValueError, TypeError) as error:
        raise ValueError(f"is no .npy file: {str(error).splitlines()[0]}") from None
