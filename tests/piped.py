"""Bytes that come through a pipe, by a name that can be opened like a file's."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def piped(raw: bytes | Iterable[bytes], piece_bytes: int = 7) -> Iterator[str]:
    """The `/dev/fd/N` of a pipe, as a shell's `<(…)` gives it; the bytes arrive in pieces that end anywhere."""
    reader, writer = os.pipe()
    parts = raw if not isinstance(raw, bytes) else (raw[i : i + piece_bytes] for i in range(0, len(raw), piece_bytes))

    def feed() -> None:
        with suppress(BrokenPipeError), os.fdopen(writer, "wb", buffering=0) as pipe:
            for part in parts:
                pipe.write(part)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
        thread.join()
