"""Readers that stand on a library in C, in a process of their own.

HDF5's and Arrow's libraries end the process, or fill its memory, for some files that lie about themselves.  Here that
ends one process which holds nothing but the file; whoever asked is told.  It is started with the first such file, and
reads the others, too.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import traceback
import weakref
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError, XentError
from xentcli.sources.files import PIECE_BYTES
from xentcli.sources.limits import LIMITS, READER_MEMORY, most_memory
from xentcli.sources.source import Source, Stream
from xentcli.sources.stored import LocalFile, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.numbers.arrays import Array
    from xentcli.sources.request import Request

LARGEST_STREAM = 1 << 40  # bytes that are put aside of what comes only once
SECONDS, BYTES_A_SECOND = 120, 1 << 20  # of processor time that a file may take: so many, and more for a large one
MOST_DESCRIPTORS = 64
LENGTH_BYTES = 8
ONE_BY_ONE = Lock()


def read(module: str, source: Source, request: Request) -> list[Array]:
    """What `read` of the module gives; InputError, too, where the library does not come back."""
    file = source.local(LARGEST_STREAM)
    with ONE_BY_ONE:
        return _worker(os.getpid()).ask(module, file, request)


class Lost(Exception):  # noqa: N818  no error of its own: it tells how a process ended
    """The other process is no more."""


class Worker:
    """The other process, started anew when it is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        weakref.finalize(self, self.__class__._end, self.__dict__)

    def ask(self, module: str, file: LocalFile, request: Request) -> list[Array]:
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._socket is not None
        try:
            _send(self._socket, (module, file.path, request, _limits()), [file.descriptor])
            answer, descriptors = _received(self._socket)
        except (OSError, Lost, pickle.UnpicklingError):
            raise _lost(file, self._ending()) from None
        except BaseException:  # Ctrl-C: what it would answer is wanted no more
            self._end(self.__dict__)
            raise
        return _opened(answer, descriptors, file)

    def _start(self) -> None:
        self._end(self.__dict__)
        self._socket, theirs = socket.socketpair()
        root = str(Path(__file__).parent.parent.parent)
        served = f"from xentcli.sources.apart import serve; serve({theirs.fileno()})"
        code = f"import sys; sys.path.insert(0, {root!r}); {served}"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # the libraries' own words, before ours
            pass_fds=[theirs.fileno()],
            env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},  # the others take more than they are asked for
        )
        theirs.close()

    def _ending(self) -> int:
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(5.0)
        self._process.kill()
        return self._process.wait()

    @staticmethod
    def _end(held: dict[str, Any]) -> None:
        process, ours = held.get("_process"), held.get("_socket")
        if ours is not None:
            ours.close()
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()


def _limits() -> dict[str, str]:
    """Those of this run, which the other process may not know: the environment of its start stays its own."""
    return {limit.variable: str(limit.bytes()) for limit in LIMITS}


@cache
def _worker(_process: int) -> Worker:
    """The one of this process: what `fork` copied is another's."""
    return Worker()


def _lost(file: LocalFile, code: int) -> InputError:
    """Why nothing came back."""
    if code == -signal.SIGXCPU:
        return InputError("this file takes its library too long", at=file.path, hint="save or copy it again")
    found = f"it ended with {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"
    return InputError(
        "this file ends the library that reads it", at=file.path, found=found, hint="damaged? save or copy it again"
    )


def _opened(answer: Any, descriptors: list[int], file: LocalFile) -> list[Array]:
    """The arrays, whose numbers lie in files of these descriptors; the error, if it is one."""
    if isinstance(answer, BaseException):
        raise answer
    files = [LocalFile(file.path, descriptor) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    return [_with_file(array, files) for array in answer]


def _with_file(array: Array, files: Sequence[LocalFile]) -> Array:
    """The array, whose numbers may lie in one of the files: its number stands in the file's place."""
    if not isinstance(array.read, Stored):
        return array
    number: Any = array.read.file
    return replace(array, read=replace(array.read, file=files[number]))


def _send(to: socket.socket, content: Any, descriptors: list[int]) -> None:
    data = pickle.dumps(content)
    socket.send_fds(to, [len(data).to_bytes(LENGTH_BYTES, "little")], descriptors)
    to.sendall(data)


def _received(of: socket.socket) -> tuple[Any, list[int]]:
    start, descriptors, _, _ = socket.recv_fds(of, LENGTH_BYTES, MOST_DESCRIPTORS)
    size = int.from_bytes(start + _exactly(of, LENGTH_BYTES - len(start)), "little")
    return pickle.loads(_exactly(of, size)), list(descriptors)


def _exactly(of: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = of.recv_into(view)
        if not got:
            raise Lost
        view = view[got:]
    return data


def serve(descriptor: int) -> None:
    """Be the other process, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides when it ends
    asked = socket.socket(fileno=descriptor)
    with suppress(Lost, OSError):
        while True:
            (module, path, request, limits), (file,) = _received(asked)
            os.environ.update(limits)
            answer = _answer(module, LocalFile(path, file), request)
            os.close(file)
            files: list[LocalFile] = []
            sent = answer if isinstance(answer, Exception) else [_without_file(array, files) for array in answer]
            _send(asked, sent, [each.descriptor for each in files])


def _without_file(array: Array, files: list[LocalFile]) -> Array:
    """The array with a number instead of its file, which is put with the others."""
    if not isinstance(array.read, Stored):
        return array
    assert isinstance(array.read.file, LocalFile)
    number: Any = len(files)
    files.append(array.read.file)
    return replace(array, read=replace(array.read, file=number))


def _answer(module: str, file: LocalFile, request: Request) -> list[Array] | Exception:
    """The arrays, or the error as it can be sent."""
    source = Source(file.path, Stream(_pieces(file)), file.descriptor)
    try:
        _limit(file.size)
        found: list[Array] = import_module(module).read(source, request)
        return found
    except XentError as error:
        return type(error)(error.what, **error.details)
    except MemoryError:
        return READER_MEMORY.exceeded(file.path, most_memory(file.size))
    except Exception as error:
        return RuntimeError("".join(traceback.format_exception(error)))


def _pieces(file: LocalFile) -> Iterator[bytes]:
    for start in range(0, file.size, PIECE_BYTES):
        piece = bytearray(min(PIECE_BYTES, file.size - start))
        file.read_into(memoryview(piece), start)
        yield bytes(piece)


def _limit(size: int) -> None:
    """Let this process take so much for a file of this size, where the system can hold it to that."""
    import resource  # noqa: PLC0415  not on every system

    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    most = {
        resource.RLIMIT_DATA: _data_bytes() + most_memory(size),
        resource.RLIMIT_CPU: int(used) + SECONDS + size // BYTES_A_SECOND,
        resource.RLIMIT_CORE: 0,
    }
    for name, limit in most.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(name, (limit, resource.getrlimit(name)[1]))


def _data_bytes() -> int:
    """What this process has taken of memory of its own."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmData:")).split()[1])
    return 1 << 30
