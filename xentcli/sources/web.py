"""What a web server answers: held against what was asked for, and never waited for without end."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

SCHEMES = ("http", "https")
SECONDS = 60.0  # that a server may take, unless the variable says another number
SECONDS_VARIABLE = "XENT_SERVER_TIMEOUT"
CONNECT_SECONDS = 15.0
SLOWEST = 100  # bytes a second of an answer: a modem has some thousand, who sends fewer holds us up
REDIRECTS = {("http", "http"), ("http", "https"), ("https", "https")}  # the scheme that was asked -> that it leads to
DOWNLOAD = "download the file first, and name it there"


class TooSlowError(Exception):
    """A server that is silent, or sends a byte now and then."""


class BrokenOffError(Exception):
    """An answer that ends before its end, or that is no answer."""


def patience() -> float:
    """How long a server may take for an answer, or be slower than SLOWEST, in seconds."""
    given = os.environ.get(SECONDS_VARIABLE, "")
    if given and not (re.fullmatch(r"\d{1,9}(\.\d*)?", given, re.ASCII) and float(given)):
        raise UsageError(f"{SECONDS_VARIABLE} is no number of seconds", found=excerpt(given), expected=f"{SECONDS:g}")
    return float(given or SECONDS)


@cache
def client_options() -> dict[str, Any]:
    """How aiohttp connects: our own limits instead of its, which end long downloads, and bytes as they are sent."""
    aiohttp = import_module("aiohttp")
    redirects = aiohttp.TraceConfig()
    redirects.on_request_redirect.append(_check_redirect)
    return {
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        "trace_configs": [redirects],
        "auto_decompress": False,  # a small answer may unpack to any size
    }


class Web:
    """One file of a web server."""

    def __init__(self, system: Any, address: str) -> None:
        """`system` is fsspec's, whose session and loop are used."""
        self._system, self._address = system, address

    def info(self) -> dict[str, Any]:
        """What the server says of the file without sending it."""
        found: dict[str, Any] = self._wait(self._info)
        return found

    def parts(self, starts: Sequence[int], stops: Sequence[int], seen: Seen) -> list[bytes]:
        """The bytes of several ranges, asked for at once; InputError for an answer to another question."""
        parts: list[bytes] = self._wait(self._parts, starts, stops, seen)
        return parts

    def has_ranges(self, seen: Seen) -> bool:
        """Whether the server gives parts of the file; InputError where it gives others than are asked for."""
        return self._wait(self._part, 1, 2, seen, or_whole=True) is not None

    def streamed(self, seen: Seen) -> Iterator[bytes]:
        """All bytes of the file, of one answer."""
        answer = self._wait(self._get, {})
        pace, total = Pace(answer.content), 0
        try:
            seen.check(answer, self._address)
            while piece := self._wait(pace.next):
                total += len(piece)
                yield piece
        finally:
            self._system.loop.call_soon_threadsafe(answer.close)
        if seen.size is not None and total != seen.size:
            raise InputError(
                "the server sends another number of bytes than it says",
                at=self._address,
                found=f"{total:,} bytes",
                expected=f"{seen.size:,}",
            )

    def _wait(self, coroutine: Any, *arguments: Any, **named: Any) -> Any:
        return import_module("fsspec.asyn").sync(self._system.loop, coroutine, *arguments, **named)

    async def _info(self) -> Any:
        async with _limit():
            return await self._system._info(self._address)

    async def _get(self, headers: dict[str, str]) -> Any:
        """The server's answer, of which the body is still to be read."""
        asked = dict(self._system.kwargs)
        asked["headers"] = {**asked.get("headers", {}), "Accept-Encoding": "identity", **headers}
        session = await self._system.set_session()
        async with _limit():
            answer = await session.get(self._system.encode_url(self._address), **asked)
        answer.raise_for_status()
        return answer

    async def _parts(self, starts: Sequence[int], stops: Sequence[int], seen: Seen) -> list[bytes | None]:
        tasks = [asyncio.ensure_future(self._part(*ends, seen)) for ends in zip(starts, stops, strict=True)]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # one that failed ends the others
                task.cancel()

    async def _part(self, start: int, stop: int, seen: Seen, *, or_whole: bool = False) -> bytes | None:
        """The bytes of a range; None for a server that would give all of the file, where that is an answer."""
        answer = await self._get({"Range": f"bytes={start}-{stop - 1}"})
        try:
            if or_whole and answer.status == 200:
                return None
            seen.check(answer, self._address)
            self._check_range(answer, start, stop, seen)
            found = [piece async for piece in _up_to(stop - start, Pace(answer.content))]
        finally:
            answer.close() if answer.status == 200 else answer.release()
        part = b"".join(found)
        if len(part) != stop - start:
            more = "or more" if len(part) > stop - start else "only"
            raise self._other_range(f"{len(part):,} bytes {more}", f"{stop - start:,} bytes, from {start:,} on")
        return part

    def _check_range(self, answer: Any, start: int, stop: int, seen: Seen) -> None:
        told = answer.headers.get("Content-Range", "")
        asked, (found, _, size) = f"bytes {start}-{stop - 1}", told.partition("/")
        expected = f"Content-Range: {asked}/{seen.size}"
        if answer.status != 206:
            raise self._other_range("all of the file", expected)
        if found != asked:
            raise self._other_range(excerpt(told, 60) if told else "no Content-Range", expected)
        if size not in {f"{seen.size}", "*"}:
            raise seen.changed()

    def _other_range(self, found: str, expected: str) -> InputError:
        what = "the server answers with another range than was asked for"
        return InputError(what, at=self._address, found=found, expected=expected, hint=DOWNLOAD)


class Seen:
    """What a server said of a file at first, which must stay so."""

    def __init__(self, size: int | None, key: str, value: str, changed: Callable[[], InputError]) -> None:
        """`key` is the header that tells one version from another, or empty; `changed` makes what is said then."""
        self.size, self.changed = size, changed
        self._key, self._value = key, value

    def check(self, answer: Any, address: str) -> None:
        """InputError for an answer of another version, or in an encoding that nobody asked for."""
        if answer.headers.get(self._key, self._value) != self._value:
            raise self.changed()
        coding = answer.headers.get("Content-Encoding", "identity")
        if coding not in {"identity", "", "gzip"}:  # gzip is what a file may be packed with, which is seen to later
            raise InputError("the server packs the file, which nobody asked for", at=address, found=excerpt(coding))


class Pace:
    """The bytes of an answer, as long as they come fast enough; what is done with them takes its own time."""

    def __init__(self, content: Any) -> None:
        self._content, self._seconds = content, patience()
        self._waited, self._got = 0.0, 0

    async def next(self) -> bytes:
        """The next bytes, none at the end; TooSlowError for fewer than SLOWEST in each of the seconds."""
        clock = asyncio.get_running_loop().time
        before = clock()
        async with _limit(self._seconds - self._waited):
            try:
                piece: bytes = await self._content.readany()
            except RuntimeError as error:  # aiohttp's, of an answer that it gave up before it was read
                raise BrokenOffError(str(error)) from error
        self._waited += clock() - before
        self._got += len(piece)
        if self._got >= SLOWEST * self._seconds:
            self._waited, self._got = 0.0, 0
        return piece


async def _up_to(size: int, pace: Pace) -> AsyncIterator[bytes]:
    """What comes, and no more than a piece beyond this size."""
    while size >= 0 and (piece := await pace.next()):
        size -= len(piece)
        yield piece


@asynccontextmanager
async def _limit(seconds: float | None = None) -> AsyncIterator[None]:
    """TooSlowError for what takes longer."""
    limit = asyncio.timeout(max(0.0, patience() if seconds is None else seconds))
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():  # it is aiohttp's, of a server that does not take the call
            raise
        raise TooSlowError(f"fewer than {SLOWEST} bytes a second for {patience():g} seconds") from error


async def _check_redirect(_session: Any, _context: Any, told: Any) -> None:
    """InputError for a server that leads to a file of this machine, or from an encrypted line to an open one.

    Another server of the same kind may give the file, as those of releases and models do.
    """
    target = told.response.headers.get("Location") or told.response.headers.get("URI") or ""
    scheme = told.url.join(import_module("yarl").URL(target)).scheme
    if (told.url.scheme, scheme) not in REDIRECTS:
        raise InputError(
            "the server leads to another kind of address",
            at=str(told.url),
            found=excerpt(target, 100),
            expected=f"an address of {told.url.scheme}",
            hint=DOWNLOAD,
        )
