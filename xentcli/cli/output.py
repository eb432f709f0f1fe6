"""Output files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from functools import cache
from glob import glob
from pathlib import Path
from secrets import token_hex
from shlex import quote
from typing import IO, TYPE_CHECKING

import click

from xentcli.cli.ending import unfinished
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType


INPUTS = "xentcli.inputs"  # in click's context
UNFINISHED = ".xent-"  # how the name of a file that is not whole begins
UNFINISHED_NAME = re.compile(re.escape(UNFINISHED) + r"[0-9a-f]{16}")
YOUNG_SECONDS = 2.0  # in which a run that has just made its file locks it


class WholeFile:
    """A file opened now and put in place at the end of its `with` block; nothing of it is left when that fails.

    A pipe, a device or the file that standard output goes to cannot be replaced: it is opened now, and what is
    written goes to it at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _refused("the output file cannot be written", path):
            _refuse_input(path)
            self.target = Path(os.path.realpath(path))  # a link stays, the file it names is replaced
            self._file, self._unfinished = _open_beside(path, self.target)

    def write(self, content: bytes) -> None:
        with _refused("the output file cannot be written", self.path):
            self._file.write(content)

    def write_all(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.write(piece)

    def __enter__(self) -> WholeFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def _finish(self) -> None:
        with _refused("the output file cannot be written", self.path):
            if self._unfinished:
                self._file.flush()
                os.fsync(self._file.fileno())  # else a power cut could leave the name with nothing behind it
            self._file.close()
            if self._unfinished:
                self._unfinished.replace(self.target)

    def _discard(self) -> None:
        with suppress(OSError):  # what could not be written is not wanted any more
            self._file.close()
        if self._unfinished:
            self._unfinished.unlink(missing_ok=True)
            unfinished.remove(self._unfinished)


def name_inputs(*names: str | None) -> None:
    """Remember what the command reads, so that no output takes its place."""
    meta = click.get_current_context().meta
    meta[INPUTS] = (*meta.get(INPUTS, ()), *(name for name in names if name))


def _refuse_input(output: Path) -> None:
    """UsageError for an output that is one of the files that the command reads, whatever it is called there."""
    context = click.get_current_context(silent=True)
    if context is None or not output.is_file():
        return
    if any(path.samefile(output) for name in context.meta.get(INPUTS, ()) for path in _local(name)):
        raise UsageError("the output would take the place of an input", at=str(output), hint="give it another name")


def _local(name: str) -> list[Path]:
    """The files that a name stands for: itself, without the array that it may end with, or all of a pattern."""
    found = [name, name.rpartition(":")[0], *glob(name)]
    return [Path(each) for each in found if each and Path(each).is_file()]


@contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """The folder, made where it alone is missing; when the `with` block fails, it goes again.

    Errors: UsageError where the folder that it lies in is missing, or is the root: who wants that makes it.
    """
    with _refused("the folder cannot be made", path):
        is_new = not path.exists()
    if is_new:
        check_new_folder(path)
        unfinished.insert(0, path)
    try:
        with _refused("the folder cannot be made", path):
            path.mkdir(exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # somebody else may have put a file there
            if is_new:
                path.rmdir()
        raise
    finally:
        if is_new:
            unfinished.remove(path)


def check_new_folder(path: Path) -> None:
    """UsageError for a folder that has none to lie in, or would lie in the root of the system."""
    above = path.absolute().parent
    with _refused("the folder cannot be made", path):
        is_there = above.is_dir() or above.exists()
    if not is_there:
        raise UsageError("the folder is missing", at=str(path.parent), hint=f"mkdir -p {quote(str(path.parent))}")
    if above == Path(above.anchor):
        raise UsageError("no folder is made in the root of the system", at=str(path), hint=f"mkdir {quote(str(path))}")


def _open_beside(path: Path, target: Path) -> tuple[IO[bytes], Path | None]:
    """The file to write to, and its name until it is whole; no name where it is written in place."""
    if path.exists() and not _replaceable(path):
        return path.open("ab"), None  # what a redirected stream holds already stays
    sweep(target.parent)
    beside = target.parent / f"{UNFINISHED}{token_hex(8)}"
    unfinished.append(beside)  # before it is there: a signal may come in between
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(descriptor)
        file = os.fdopen(descriptor, "wb")
        beside.chmod(_mode_of(target))
    except BaseException:
        beside.unlink(missing_ok=True)
        unfinished.remove(beside)
        raise
    return file, beside


@cache
def sweep(folder: Path) -> None:
    """Remove what runs that were killed left unfinished in this folder, once: the system has let go of their locks.

    What belongs to another user, is no plain file or is locked by a run that goes on, stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if UNFINISHED_NAME.fullmatch(entry.name)]
        for path in left:
            with suppress(OSError):
                _remove_left(path)


def _remove_left(path: Path) -> None:
    """Remove it, if it is ours and nobody writes to it; OSError, which means nothing, otherwise."""
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_mtime > time.time() - YOUNG_SECONDS:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _lock(descriptor):
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether the open file is now ours as long as this process lives; not where another has it, or none can."""
    try:
        import fcntl
    except ImportError:  # not on every system
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _replaceable(path: Path) -> bool:
    """Whether a new file may take the name of this one; the name of one that may not be written may not be taken."""
    if not path.is_file() or not os.access(path, os.W_OK):
        return False
    return not any(os.path.samestat(path.stat(), stream) for stream in _streams())


def _streams() -> Iterator[os.stat_result]:
    for descriptor in (1, 2):
        with suppress(OSError):  # it may be closed
            yield os.fstat(descriptor)


def _mode_of(path: Path) -> int:
    """The permissions the file has, or that a new one would get."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def _refused(what: str, path: Path) -> Iterator[None]:
    """Whatever the system refuses is the user's to mend; only a reader that went away ends the run in silence."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(what, at=str(path), found=error.strerror or str(error)) from error
