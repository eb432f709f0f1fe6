"""HDF5: datasets by their paths, read once through h5py."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError, XentError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.extras import import_extra
from xentcli.sources.files import excerpt
from xentcli.sources.limits import READER_MEMORY, most_memory
from xentcli.sources.readers.zipped import LARGEST_STREAM
from xentcli.sources.stored import Seekable, Spool
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from xentcli.sources.request import Request
    from xentcli.sources.source import Source

PIECE_BYTES = 8 << 20  # that are read at once
MOST_DATASETS = 1 << 14
CHUNK_COPIES = 4  # of a chunk that are in memory at once


def read(source: Source, request: Request) -> list[Array]:
    """The datasets that are asked for by their paths, without the slash at the start."""
    h5py = import_extra("hdf5")
    path = source.path
    try:
        with h5py.File(io.BufferedReader(Seekable(source.anywhere(LARGEST_STREAM))), "r") as file:
            found: dict[str, Any] = {}
            file.visititems(lambda name, item: _note(found, name, item, h5py.Dataset))
            request = replace(request, key=request.key.lstrip("/")) if request.key else request
            return [_array(found[name], f"{path}:{name}") for name in request.names(found)]
    except (XentError, MemoryError):
        raise
    except Exception as error:  # HDF5's own words, and what its types are none of
        raise InputError(
            "this HDF5 file is damaged, or cannot be read",
            at=path,
            found=excerpt(" ".join(str(error).split()), 70),
            hint="copy it again; a file that is still open in its writer is not whole",
        ) from error


def _note(found: dict[str, Any], name: str, item: Any, dataset: type) -> bool | None:
    """Remember a dataset; True ends the walk."""
    if isinstance(item, dataset):
        found[name if isinstance(name, str) else bytes(name).decode(errors="backslashreplace")] = item
    return True if len(found) > MOST_DATASETS else None


def _check_chunks(dataset: Any, path: str) -> None:
    """InputError for chunks that take more memory than there may be: each is unpacked as a whole."""
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    most = most_memory(dataset.id.get_storage_size())
    if dataset.chunks and CHUNK_COPIES * chunk > most:
        raise READER_MEMORY.exceeded(path, most, found=f"chunks of {chunk:,} bytes")


def _array(dataset: Any, path: str) -> Array:
    if dataset.is_virtual or dataset.external:
        raise InputError("the numbers of this dataset lie in other files", at=path, hint="copy them into this one")
    _check_chunks(dataset, path)
    if dataset.shape is None:
        raise InputError("this dataset is empty", at=path)
    dtype = dtype_name(dataset.dtype, path)
    if not dataset.shape or not dataset.shape[0]:
        values = np.asarray(dataset[()])
        return Array(*in_memory(values), path, "hdf5", dtype, element)
    spool, rows = Spool(path), dataset.shape[0]
    step = max(1, PIECE_BYTES * rows // max(1, dataset.size * dataset.dtype.itemsize))
    for start in range(0, rows, step):
        spool.append(np.ascontiguousarray(dataset[start : start + step]))
    return Array(*spool.finish(), path, "hdf5", dtype, element)
