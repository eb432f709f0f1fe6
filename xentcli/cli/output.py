"""Output files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from xentcli.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType


class WholeFile:
    """A file opened now and put in place at the end of its `with` block; nothing of it is left when that fails.

    A pipe or a device cannot be replaced: it is opened now, and what is written goes to it at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # a link stays, the file it names is replaced
        try:
            self._file, self._unfinished = _open_beside(self.path)
        except OSError as error:
            raise UsageError(
                "the output file cannot be written", at=str(path), found=error.strerror or str(error)
            ) from error

    def write(self, content: bytes) -> None:
        self._file.write(content)

    def __enter__(self) -> WholeFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None and self._unfinished:
                self._unfinished.replace(self.path)
        finally:
            if self._unfinished:
                self._unfinished.unlink(missing_ok=True)


def _open_beside(path: Path) -> tuple[IO[bytes], Path | None]:
    if path.exists() and not path.is_file():
        return path.open("wb"), None
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.fchmod(descriptor, _mode_of(path))
    return os.fdopen(descriptor, "wb"), Path(name)


def _mode_of(path: Path) -> int:
    """The permissions the file has, or that a new one would get."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
