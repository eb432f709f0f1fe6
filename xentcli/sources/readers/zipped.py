"""ZIP archives: where the members lie that are stored as they are, and the content of those that are compressed."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.sources.files import excerpt
from xentcli.sources.stored import Seekable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.sources.stored import Bytes

LARGEST_STREAM = 1 << 40  # bytes that are put aside of an archive from a pipe: its directory stands at its end
LOCAL_HEADER = struct.Struct(
    "<26xHH"
)  # the lengths of the name and of the extra field, which may differ from the directory's
UNPACKED_BYTES = 1 << 20
MOST_DIRECTORY = 16 << 20  # bytes of what lists the members, each of which takes ten times as much memory
END = struct.Struct("<4s4H2LH")  # of the archive; the size of its directory is the sixth
FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OSError,
)


@dataclass(frozen=True)
class Member:
    """A file in the archive."""

    name: str
    offset: int | None  # of its bytes in the archive; None where they are compressed
    size: int  # unpacked


class Zipped:
    """An archive in a file; InputError for one that is damaged, encrypted or cut off."""

    def __init__(self, file: Bytes) -> None:
        self.file = file
        with self._damage_told():
            _check_directory(file)
            self._archive = zipfile.ZipFile(io.BufferedReader(Seekable(file)))
            if len(set(self.names)) < len(self.names):
                raise zipfile.BadZipFile("two members of one name")

    @property
    def names(self) -> list[str]:
        """Of all members, in their order."""
        return self._archive.namelist()

    def member(self, name: str) -> Member:
        """Where this member lies."""
        with self._damage_told(name):
            info = self._archive.getinfo(name)
            with self._archive.open(info):  # looks whether the member's own header agrees
                pass
            if info.compress_type != zipfile.ZIP_STORED:
                return Member(name, None, info.file_size)
            header = bytearray(LOCAL_HEADER.size)
            self.file.read_into(memoryview(header), info.header_offset)
            offset = info.header_offset + LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack(header))
            if info.compress_size != info.file_size or offset + info.file_size > self.file.size:
                raise zipfile.BadZipFile("the member goes beyond the file")
            return Member(name, offset, info.file_size)

    def unpacked(self, member: Member) -> Iterator[bytes]:
        """The content of a member, in pieces."""
        with self._damage_told(member.name), self._archive.open(member.name) as content:
            while piece := content.read(UNPACKED_BYTES):
                yield piece

    @contextmanager
    def _damage_told(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except FAULTS as error:
            at = f"{self.file.path}, {excerpt(name)}" if name else self.file.path
            raise InputError(
                "this ZIP archive (.npz, .pt) is damaged, or not whole",
                at=at,
                found=excerpt(str(error), 70),
                hint="save or copy it again",
            ) from error


def _check_directory(file: Bytes) -> None:
    """BadZipFile for a list of members that is longer than any of arrays."""
    size = min(file.size, END.size + (1 << 16))  # a comment may follow
    tail = bytearray(size)
    file.read_into(memoryview(tail), file.size - size)
    start = tail.rfind(b"PK\5\6")
    if start < 0 or start + END.size > size:
        return  # Python's own message says that it is none
    listed = END.unpack_from(tail, start)[5]
    if listed > MOST_DIRECTORY and file.size > MOST_DIRECTORY:
        raise zipfile.BadZipFile(f"a directory of more than {MOST_DIRECTORY:,} bytes")
