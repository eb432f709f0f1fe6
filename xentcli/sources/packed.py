"""Files packed with gzip, xz or zstd: recognised by their first bytes, unpacked in little memory."""

from __future__ import annotations

import lzma
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from xentcli.errors import InputError
from xentcli.sources.extras import import_extra
from xentcli.sources.limits import UNPACKED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MARKS = {"gzip": b"\x1f\x8b", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}  # what a file begins with
SUFFIXES = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}
# As many bytes as unpack to little: gzip makes up to 1,032 times as many of them, xz 7,000 and zstd 32,768.
SLICE_BYTES = 1 << 10
MOST_TIMES = 1000  # as many bytes as were packed: numbers never are so many, zeros alone
MOST_MEMORY = 1 << 27  # that a file may ask for its dictionary; the strongest usual settings take half of it


class Unpacker(Protocol):
    """What unpacks one frame: Python's modules and zstandard agree on this much."""

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""

    @property
    def unused_data(self) -> bytes:
        """What came after its end."""

    def decompress(self, data: bytes, /) -> bytes:
        """What these next bytes unpack to."""


class Packer(Protocol):
    """What packs one frame."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready of it."""

    def flush(self) -> bytes:
        """The rest."""


def packing_of(head: bytes) -> str | None:
    """How a file that begins so is packed."""
    return next((name for name, mark in MARKS.items() if head.startswith(mark)), None)


def unpacked(path: str, packing: str, parts: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes that the parts unpack to, frame after frame; InputError where they are damaged or cut off."""
    make = UNPACKERS[packing]
    frame: Unpacker | None = None
    freely, taken, made = UNPACKED.bytes(), 0, 0
    for part in parts:
        rest = part
        taken += len(part)
        while rest := rest if frame else rest.lstrip(b"\0"):  # zeros may fill up a file between and after frames
            frame = frame or make()
            with _damage_told(path, packing):
                data = frame.decompress(rest[:SLICE_BYTES])
            rest = frame.unused_data + rest[SLICE_BYTES:]
            if frame.eof:
                frame = None
            made += len(data)
            if made > max(freely, MOST_TIMES * taken):
                raise UNPACKED.exceeded(path, found=f"packed with {packing}")
            if data:
                yield data
    if frame:
        raise InputError("the file is cut off", at=path, found=f"packed with {packing}", hint="save or copy it again")


def packer(packing: str) -> Packer:
    """What packs bytes so."""
    return PACKERS[packing]()


@contextmanager
def _damage_told(path: str, packing: str) -> Iterator[None]:
    try:
        yield
    except _faults(packing) as error:
        raise InputError(
            "the file is damaged",
            at=path,
            found=f"packed with {packing}: {error}",
            hint="copy it again, or unpack it to see more",
        ) from error


def _faults(packing: str) -> tuple[type[Exception], ...]:
    """What the unpackers raise for damaged bytes."""
    return (import_extra("zstd").ZstdError,) if packing == "zstd" else (zlib.error, lzma.LZMAError)


def _zstd_unpacker() -> Unpacker:
    unpacker: Unpacker = import_extra("zstd").ZstdDecompressor(max_window_size=MOST_MEMORY).decompressobj()
    return unpacker


def _zstd_packer() -> Packer:
    packer: Packer = import_extra("zstd").ZstdCompressor(write_checksum=True).compressobj()
    return packer


UNPACKERS: dict[str, Callable[[], Unpacker]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY),
    "zstd": _zstd_unpacker,
}
PACKERS: dict[str, Callable[[], Packer]] = {
    "gzip": lambda: zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS),
    "xz": lambda: lzma.LZMACompressor(lzma.FORMAT_XZ, preset=1),
    "zstd": _zstd_packer,
}
