"""Files behind an address, through fsspec: read in ranges where the server gives them."""

from __future__ import annotations

import os
import re
from functools import cached_property, partial
from importlib import import_module
from operator import sub
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError, UsageError
from xentcli.sources.extras import install
from xentcli.sources.files import excerpt, split_key
from xentcli.sources.names import MANIFEST, MANIFEST_BYTES, Names, in_natural_order, manifest_names, of_its_server
from xentcli.sources.refusals import told
from xentcli.sources.stored import CHANGED
from xentcli.sources.waiting import within
from xentcli.sources.web import DOWNLOAD, SCHEMES, Seen, TooSlowError, Web, client_options, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from xentcli.sources.stored import Run

GAP = 1 << 15  # bytes between two runs that are sooner fetched than another request is answered
AT_ONCE = 16  # requests
FIRST_PIECE, LARGEST_PIECE = 1 << 16, 8 << 20  # bytes; a header is small, and what follows it is not
MOST_DOWNLOADED = 256 << 20  # bytes of a file whose server gives no parts of it, unless the variable says another limit
LIMIT_VARIABLE = "XENT_DOWNLOAD_BYTES"
LISTING = 10  # times as long as for one answer, for a list of files that comes in many
SLOWEST_STORE = 4 << 20  # bytes that may take as long as one answer
DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
}  # imported
# What tells one version of a file from another, the best first; each store has some of them.
VERSIONS = (
    "ETag", "etag", "generation", "md5Hash", "Content-MD5", "content_md5", "Digest", "checksum", "sha", "hex",
    "blob_id", "CRC", "LastModified", "Last-Modified", "last_modified", "mtime", "modified", "modify",
    "modificationTime", "last_write_time", "created",
)  # fmt: skip


class RemoteFile:
    """A file behind an address that must stay as it is while it is read; threads may read at once."""

    def __init__(self, path: str) -> None:
        """Asks for the file's size and version, and for none of its bytes."""
        self.path = path
        self._system, self._name = _located(path)
        self._web = Web(self._system, self._name) if _is_web(self._system) else None
        self._identity = self._look()
        self._seen = Seen(*self._identity, self._changed)
        if not self._web and not self.version:
            raise InputError(
                "the store does not tell one version of this file from another", at=self.path, hint=DOWNLOAD
            )

    @property
    def size(self) -> int:
        """In bytes; 0 where the server does not say."""
        return self._identity[0] or 0

    @property
    def version(self) -> str:
        """What tells that the file was written again; empty for a server that gives no sign of it."""
        return f"{self._identity}" if self._identity[2] else ""

    @cached_property
    def has_ranges(self) -> bool:
        """Whether parts of the file can be had, and belong together.

        A web server that gives no parts would give all of it each time; one that gives no sign of another version
        might give parts of two, while one answer is of one.
        """
        if self._identity[0] is None or not self.version:
            return False
        if self.size < 2 or not self._web:
            return True
        with told(self.path):
            return self._web.has_ranges(self._seen)

    def within_limit(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes, of a file whose server gives no parts of it; InputError for more than may be downloaded."""
        limit = most_downloaded()
        if self.size > limit:
            raise self._too_large(limit)
        for piece in parts:
            limit -= len(piece)
            if limit < 0:
                raise self._too_large(most_downloaded())
            yield piece

    def _too_large(self, limit: int) -> InputError:
        size = f"{self.size:,} bytes, and " if self.size else ""
        lacks = "no answer to range requests" if self.version else "neither ETag nor Last-Modified: parts may not fit"
        return InputError(
            "the server gives no parts of this file, and all of it is more than is downloaded",
            at=self.path,
            found=f"{size}{lacks}",
            expected=f"up to {limit:,} bytes",
            hint=f"download the file first, or raise the limit: {LIMIT_VARIABLE}={2 * max(limit, self.size)}",
        )

    def read_into(self, buffer: memoryview, offset: int) -> None:
        self.read_runs([(buffer, offset)])

    def read_runs(self, runs: Sequence[Run]) -> None:
        groups = list(_neighbours(runs))
        starts = [group[0][1] for group in groups]
        stops = [offset + len(buffer) for *_, (buffer, offset) in groups]
        for group, data in zip(groups, self._parts(starts, stops), strict=True):
            first = group[0][1]
            for buffer, offset in group:
                buffer[:] = data[offset - first : offset - first + len(buffer)]
        self.check()

    def pieces(self) -> Iterator[bytes]:
        """All bytes from the first on; few at a time at first, as mostly only a header is wanted."""
        start, length = 0, FIRST_PIECE
        if not self.has_ranges:
            yield from self._streamed()
            self.check()
            return
        while start < self.size:
            stop = min(start + length, self.size)
            yield from self._parts([start], [stop])
            start, length = stop, min(4 * length, LARGEST_PIECE)
        self.check()

    def check(self) -> None:
        """InputError if it is another file than at first."""
        if self._look() != self._identity:
            raise self._changed()

    def _parts(self, starts: list[int], stops: list[int]) -> Iterator[bytes]:
        """The bytes of several ranges, some of them asked for at once."""
        for first in range(0, len(starts), AT_ONCE):
            chunk = slice(first, first + AT_ONCE)
            with told(self.path):
                parts = self._asked(starts[chunk], stops[chunk])
            for part, start, stop in zip(parts, starts[chunk], stops[chunk], strict=True):
                if len(part) != stop - start:
                    raise self._changed()
                yield part

    def _asked(self, starts: list[int], stops: list[int]) -> list[bytes]:
        if self._web:
            return self._web.parts(starts, stops, self._seen)
        times = 1 + sum(map(sub, stops, starts)) / SLOWEST_STORE
        names = [self._name] * len(starts)
        parts: list[Any] = _within(times, partial(self._system.cat_ranges, names, starts, stops, on_error="raise"))
        for failure in parts:  # earlier versions of fsspec give what they should raise
            if isinstance(failure, Exception):
                raise failure
        return parts

    def _streamed(self) -> Iterator[bytes]:
        if self._web:
            with told(self.path):
                yield from self._web.streamed(self._seen)
            return
        with told(self.path), _within(1, partial(self._system.open, self._name, "rb", block_size=0)) as file:
            while piece := _within(1, partial(file.read, FIRST_PIECE)):
                yield piece

    def _look(self) -> tuple[int | None, str, str]:
        """The file's size, and what tells its version: the name of that, and its value."""
        with told(self.path):
            self._system.invalidate_cache(self._name)  # a list of the folder may be older than the file
            info = self._web.info() if self._web else _within(1, partial(self._system.info, self._name))
        if info.get("type") == "directory":
            raise InputError("this is a directory", at=self.path, hint="its files: end the address with a slash")
        key = next((key for key in VERSIONS if info.get(key)), "")
        return info.get("size"), key, str(info.get(key, ""))

    def _changed(self) -> InputError:
        return InputError(CHANGED, at=self.path, hint="let its writer finish, and run again")


def most_downloaded() -> int:
    """How much is downloaded at once of a server that gives no parts, in bytes."""
    given = os.environ.get(LIMIT_VARIABLE, "")
    if given and not re.fullmatch(r"\d{1,15}", given, re.ASCII):
        raise UsageError(f"{LIMIT_VARIABLE} is no number of bytes", found=excerpt(given), expected=str(MOST_DOWNLOADED))
    return int(given or MOST_DOWNLOADED)


def _neighbours(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The runs in groups that are fetched together."""
    group: list[Run] = []
    end = 0
    for buffer, offset in runs:
        if group and offset - end > GAP:
            yield group
            group = []
        group.append((buffer, offset))
        end = offset + len(buffer)
    yield group


def remote_names(name: str) -> Names:
    """The files that an address stands for: itself, all that match its pattern, list in it or lie in its folder."""
    path, key = split_key(name)
    return _named(path).of_array(key)


def _named(name: str) -> Names:
    if name.startswith(MANIFEST):
        path = name.removeprefix(MANIFEST)
        text = b"".join(_limited(RemoteFile(path), MANIFEST_BYTES))
        return of_its_server(manifest_names(name, text, path[: path.rfind("/") + 1]), path)
    system, place = _located(name)
    if _is_web(system):
        return _web_name(name)
    if name.endswith("/"):
        return _listing(name, lambda: system.find(place, maxdepth=1), system, "this directory holds no files")
    if any(sign in place for sign in "*?[") and "::" not in name:
        return _listing(name, lambda: system.glob(place), system, "no file matches this pattern")
    return Names(name, (name,))


def _listing(name: str, find: Callable[[], list[str]], system: Any, what: str) -> Names:
    with told(name):
        system.invalidate_cache()
        found = _within(LISTING, find)
    if not found:
        raise InputError(what, at=name)
    return Names(name, tuple(in_natural_order(map(system.unstrip_protocol, found))))


def _web_name(name: str) -> Names:
    if "*" in name:
        raise InputError(
            "a web server does not list its files",
            at=name,
            expected="the address of one file",
            hint="list the addresses in a text file, one a line, and give @ and its name",
        )
    return Names(name, (name,))


def _located(path: str) -> tuple[Any, str]:
    """The file system of an address, and the file's name there."""
    protocol = path.partition("://")[0].lower()
    try:
        with told(path):
            options = {"client_kwargs": client_options()} if protocol in SCHEMES else {}
            system, name = _within(LISTING, partial(import_module("fsspec.core").url_to_fs, path, **options))
    except InputError as error:
        raise _unknown(path, protocol, error.__cause__) or error from error.__cause__
    return system, name


def _unknown(path: str, protocol: str, cause: BaseException | None) -> UsageError | None:
    if isinstance(cause, ImportError):
        hint = install(DRIVERS[protocol]) if protocol in DRIVERS else str(cause)
        return UsageError("a package for this address is not installed here", at=path, hint=hint)
    if isinstance(cause, ValueError):
        return UsageError("the address cannot be understood", at=path, found=excerpt(str(cause), 70))
    return None


def _within(times: float, call: Callable[[], Any]) -> Any:
    """What a store's package gives; TooSlowError where that takes so many times as long as one answer may."""
    seconds = times * patience()
    try:
        return within(seconds, call)
    except TimeoutError as error:
        raise TooSlowError(f"no answer in {seconds:g} seconds") from error


def _is_web(system: Any) -> bool:
    protocols = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    return bool(set(protocols) & set(SCHEMES))


def _limited(file: RemoteFile, limit: int) -> Iterator[bytes]:
    for piece in file.pieces():
        limit -= len(piece)
        if limit < 0:
            raise InputError("this is too long for a manifest", at=MANIFEST + file.path)
        yield piece
