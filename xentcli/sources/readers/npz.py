"""numpy's archives: `.npy` files in a ZIP, never unpickled."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from xentcli.sources.readers.npy import LONGEST_START, read_header, stored_array, write_array
from xentcli.sources.readers.zipped import LARGEST_STREAM, Member, Zipped
from xentcli.sources.saving import SinkFile
from xentcli.sources.source import Stream
from xentcli.sources.stored import check_size, spooled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xentcli.numbers.arrays import Array
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

SUFFIX = ".npy"


def read(source: Source, request: Request) -> list[Array]:
    """The arrays that are asked for by their keys, which are the names of the files in the archive."""
    archive = Zipped(source.anywhere(LARGEST_STREAM))
    keys = {name.removesuffix(SUFFIX): name for name in archive.names if name.endswith(SUFFIX)}
    return [_array(archive, archive.member(keys[key]), f"{source.path}:{key}") for key in request.names(keys)]


def _array(archive: Zipped, member: Member, path: str) -> Array:
    if member.offset is None:
        stream = Stream(archive.unpacked(member))
    else:
        start = bytearray(min(member.size, LONGEST_START))
        archive.file.read_into(memoryview(start), member.offset)
        stream = Stream([bytes(start)])
    header = read_header(path, stream)
    check_size(path, header.shape, header.dtype, member.size - stream.position)
    if member.offset is None:
        return stored_array(spooled(path, stream.rest(header.data_bytes)), 0, header, path, "npz")
    return stored_array(archive.file, member.offset + stream.position, header, path, "npz")


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """A `.npy` file a key, not compressed: random numbers do not get smaller."""
    with zipfile.ZipFile(SinkFile(sink), "w") as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}{SUFFIX}", "w", force_zip64=True) as member:
                write_array(member, array)
