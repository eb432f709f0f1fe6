"""Servers that keep one waiting, answer another question, or lead elsewhere: an error that names the file, in time."""

from __future__ import annotations

import io
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import is_one_error, xent_here
from web import Request, Web, answering, served

from xentcli.errors import InputError, UsageError
from xentcli.sources import shards
from xentcli.sources.names import is_elsewhere
from xentcli.sources.open import open_array
from xentcli.sources.pairs import names_of, open_inputs
from xentcli.sources.waiting import within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUES = np.arange(40_000.0).reshape(2000, 20)
LIMIT = 1.0  # seconds, for each answer
AT_MOST = 20.0  # seconds for all of them, on a machine that is busy
HEADERS = b"ETag: 1\r\nConnection: close\r\n"

Answer = "Callable[[Request], object]"


def as_npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


FILE = as_npy(VALUES)


def whole(request: Request, headers: bytes = HEADERS, body: bytes = FILE) -> None:
    """The right answer of a server without ranges."""
    request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(body), headers))
    if request.method == "GET":
        request.send(body)


def part(request: Request, body: bytes = FILE, told: str = "", headers: bytes = HEADERS) -> None:
    """The right answer of a server with ranges, but for what it tells of the range and what it sends."""
    if request.start is None:
        whole(request, headers, body)
        return
    sent = body[request.start : request.stop]
    told = told or f"bytes {request.start}-{request.stop - 1}/{len(body)}"
    head = f"HTTP/1.1 206 Partial Content\r\nContent-Length: {len(sent)}\r\nContent-Range: {told}\r\n"
    request.send(head.encode() + headers + b"\r\n" + sent)


def slowly(request: Request, data: bytes) -> None:
    for place in range(len(data)):
        request.send(data[place : place + 1])
        time.sleep(0.1)


def drip_of_a_whole(request: Request) -> None:
    if request.method == "HEAD":
        whole(request)
    else:
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(FILE), HEADERS))
        slowly(request, FILE)


def drip_of_a_part(request: Request) -> None:
    if request.start is None or request.start == 1:
        part(request)
    else:
        told = b"Content-Range: bytes %d-%d/%d\r\n" % (request.start, request.stop - 1, len(FILE))
        request.send(b"HTTP/1.1 206 Partial\r\nContent-Length: %d\r\n" % (request.stop - request.start))
        request.send(told + HEADERS + b"\r\n")
        slowly(request, FILE[request.start : request.stop])


def drip_of_headers(request: Request) -> None:
    slowly(request, b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 1000)


def silence(request: Request) -> None:
    time.sleep(60)


def silence_midway(request: Request) -> None:
    if request.method == "HEAD":
        whole(request)
    else:
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(FILE), HEADERS))
        request.send(FILE[:100_000])
        time.sleep(60)


def end_midway(request: Request) -> None:
    if request.method == "HEAD":
        whole(request)
    else:
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(FILE), HEADERS))
        request.send(FILE[:100_000])


def chunked(chunk: bytes) -> Answer:
    """A server that sends a good chunk and then this one, and keeps the line open."""

    def answer(request: Request) -> None:
        request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n" % HEADERS)
        if request.method == "GET":
            request.send(b"186a0\r\n" + FILE[:100_000] + b"\r\n" + chunk)
            time.sleep(60)

    return answer


WAITS = {
    "a byte now and then, of all": drip_of_a_whole,
    "a byte now and then, of a part": drip_of_a_part,
    "a header now and then": drip_of_headers,
    "no answer": silence,
    "nothing more midway": silence_midway,
    "the line ends midway": end_midway,
    "a chunk without a size": chunked(b"zz\r\nabc\r\n"),
    "a chunk of a negative size": chunked(b"-5\r\nabc\r\n"),
    "a chunk that is too long": chunked(b"3\r\nabcdefg\r\n"),
    "a chunk of any size": chunked(b"f" * 300),
    "a chunk that does not end": chunked(b"5\r\nab"),
}


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENT_SERVER_TIMEOUT", str(LIMIT))


@contextmanager
def refused(what: str, at: str) -> Iterator[None]:
    """InputError of this kind that names the file, and soon."""
    began = time.monotonic()
    with pytest.raises(InputError, match=what) as caught:
        yield
    assert time.monotonic() - began < AT_MOST
    assert caught.value.details["at"] == at


@pytest.mark.parametrize("form", ["npy", "csv"])
@pytest.mark.parametrize("case", WAITS)
def test_no_wait_is_without_end(case: str, form: str) -> None:
    """A job that hangs holds its machine for ever, and tells nobody why."""
    slow_or_broken = "takes too long|breaks off, or garbles|cannot be reached"
    with answering(WAITS[case]) as address, refused(slow_or_broken, f"{address}/a.{form}"):
        within(AT_MOST, lambda: open_array(f"{address}/a.{form}").values)


def test_the_limit_is_the_user_s(tmp_path: Path) -> None:
    """Where a server takes its time, the message says how to give it more; the command line ends with one error."""
    with answering(silence) as address:
        ended = xent_here("compute", f"{address}/a.npy", f"{address}/b.npy", cwd=tmp_path,
                          env={"XENT_SERVER_TIMEOUT": "0.2"})  # fmt: skip
    assert is_one_error(ended)
    assert "XENT_SERVER_TIMEOUT=" in ended.err
    for value in ("soon", "0", "-1", "nan", "1e3"):
        ended = xent_here("compute", "http://127.0.0.1:1/a.npy", "y.npy", cwd=tmp_path,
                          env={"XENT_SERVER_TIMEOUT": value})  # fmt: skip
        assert ended.code == 2


def test_a_slow_reader_is_no_slow_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that goes into computing, or a server that is slow but steady, must not count."""

    def steady(request: Request) -> None:
        if request.method == "HEAD":
            whole(request)
            return
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(FILE), HEADERS))
        for start in range(0, len(FILE), 30_000):
            request.send(FILE[start : start + 30_000])
            time.sleep(0.3)

    with answering(steady) as address:
        assert np.array_equal(open_array(f"{address}/a.npy").values, VALUES)  # 11 times 0.3 seconds


LIES = {
    "another place": lambda request: part(request, told=f"bytes 0-{request.stop - request.start - 1}/{len(FILE)}"),
    "a longer part": lambda request: part(request, told=f"bytes {request.start}-{request.stop}/{len(FILE)}"),
    "no Content-Range": lambda request: part(request, told=" "),
    "no numbers": lambda request: part(request, told="bytes */*"),
    "another unit": lambda request: part(request, told=f"rows {request.start}-{request.stop - 1}/{len(FILE)}"),
    "all of the file": whole,
    "fewer bytes": lambda request: part(
        request, body=FILE[: request.stop - 1], told=f"bytes {request.start}-{request.stop - 1}/{len(FILE)}"
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_another_range_than_asked_is_refused(lie: str) -> None:
    """A cache on the way that mixes up parts would give the loss of other numbers, in silence."""
    honest = True

    def answer(request: Request) -> None:
        (part if honest or request.start is None else LIES[lie])(request)

    with answering(answer) as address:
        array = open_array(f"{address}/a.npy")
        honest = False
        with refused("answers with another range than was asked for", f"{address}/a.npy"):
            array.read(0, 500, 1500)


@pytest.mark.parametrize("lie", sorted(LIES.keys() - {"all of the file", "fewer bytes"}))
def test_a_first_answer_that_is_of_another_range(lie: str) -> None:
    """The same of the byte that tells whether the server gives parts at all; who gives all of the file gives none."""
    with (
        answering(lambda request: (part if request.start is None else LIES[lie])(request)) as address,
        refused("answers with another range than was asked for", f"{address}/a.npy"),
    ):
        open_array(f"{address}/a.npy")


def test_an_endless_part_takes_no_memory() -> None:
    """A server that never ends must not be read until the machine has no memory left."""
    sent = 0

    def endless(request: Request) -> None:
        nonlocal sent
        if request.start in {None, 1}:
            part(request)
            return
        told = b"Content-Range: bytes %d-%d/%d\r\n" % (request.start, request.stop - 1, len(FILE))
        request.send(b"HTTP/1.1 206 Partial\r\nTransfer-Encoding: chunked\r\n" + told + HEADERS + b"\r\n")
        while sent < 1 << 30:
            request.send(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
            sent += 1 << 20

    with answering(endless) as address, refused("another range", f"{address}/a.npy"):
        open_array(f"{address}/a.npy")
    assert sent < 64 << 20


def test_a_version_that_changes_between_two_parts_is_noticed_in_the_answer() -> None:
    """The file may be replaced and put back between two looks at it."""
    version = 1

    def answer(request: Request) -> None:
        part(request, headers=b"ETag: %d\r\nConnection: close\r\n" % (version if request.method == "GET" else 1))

    with answering(answer) as address:
        array = open_array(f"{address}/a.npy")
        version = 2
        with refused("changed while it was read", f"{address}/a.npy"):
            array.read(0, 500, 1500)


def changing(request: Request, asked: list[int]) -> None:
    """Ranges of a file that has other numbers each time, of the same size, and no sign of it."""
    asked[0] += request.method == "GET"
    part(request, as_npy(VALUES + 1e6 * asked[0]), headers=b"Connection: close\r\n")


def test_a_server_without_versions_gives_one_answer() -> None:
    """Parts of two models would give a wrong number in silence: all of the file is taken at once, or refused."""
    asked = [0]
    with answering(lambda request: changing(request, asked)) as address:
        array = open_array(f"{address}/a.npy")
        first, again, whole = array.read(0, 0, 10), array.read(0, 1990, 2000), array.values
    assert np.array_equal(whole - whole[0, 0], VALUES)
    assert np.array_equal(first, whole[:10])
    assert np.array_equal(again, whole[1990:])


def test_a_large_file_of_a_server_without_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into one download cannot be known to be one file; the limit can be raised."""
    monkeypatch.setenv("XENT_DOWNLOAD_BYTES", "1000")
    with answering(lambda request: changing(request, [0])) as address, refused("no parts of this file", f"{address}/a"):
        open_array(f"{address}/a")


def test_shards_of_a_server_without_versions_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is opened again must not be another one; more of them than stay open are refused."""
    asked = [0]
    monkeypatch.setattr(shards, "OPEN_AT_ONCE", 3)
    with answering(lambda request: changing(request, asked)) as address, served(Web()) as web:
        for count in (3, 4):
            web.files["list.txt"] = "".join(f"{web.address}/{number}.npy\n" for number in range(count)).encode()
            names = [f"{address}/{number}.npy" for number in range(count)]
            opened = [names_of(name) for name in names]
            joined = type(opened[0])("several", tuple(names))
            files = lambda joined=joined: shards.Files(joined, lambda path: (open_array(path),))  # noqa: E731
            if count == 4:
                with pytest.raises(InputError, match="too many files of a server"):
                    files()
            else:
                array = shards.join(files(), 0, 0)
                first, again = array.values, array.values
                assert np.array_equal(first, again)
                assert asked[0] == 3


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:text/plain,1", "memory://a", "gopher:x"]
)
def test_a_server_leads_to_no_file_of_this_machine(target: str) -> None:
    """Who names a server must not be given what lies beside him."""

    def answer(request: Request) -> None:
        request.send(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())

    with answering(answer) as address, refused("leads to another kind of address", f"{address}/a.npy"):
        open_array(f"{address}/a.npy")


def test_a_server_may_lead_to_another_of_its_kind() -> None:
    """Releases and models lie behind such; a circle ends."""
    with answering(part) as there:

        def answer(request: Request) -> None:
            place = f"{there}/b.npy" if request.path == "a.npy" else f"/{request.path}"
            head = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            request.send(head.encode())

        with answering(answer) as address:
            assert np.array_equal(open_array(f"{address}/a.npy").read(0, 500, 600), VALUES[500:600])
            with refused("leads from address to address", f"{address}/circle.npy"):
                open_array(f"{address}/circle.npy")


def test_what_a_server_packs_is_not_unpacked_without_limits() -> None:
    """A few bytes that a server calls packed may unpack to any size; ours has limits, and knows gzip."""
    import gzip

    packed = gzip.compress(FILE)
    with answering(lambda request: whole(request, b"Content-Encoding: gzip\r\n" + HEADERS, packed)) as address:
        assert np.array_equal(open_array(f"{address}/a.npy").values, VALUES)
    with (
        answering(lambda request: whole(request, b"Content-Encoding: br\r\n" + HEADERS, packed)) as address,
        refused("packs the file, which nobody asked for", f"{address}/a.npy"),
    ):
        open_array(f"{address}/a.npy")


ELSEWHERE = [
    "/etc/passwd", "//other/a.npy", "file:///etc/passwd", "https://127.0.0.1/a.npy", "http://127.0.0.1:1/a.npy",
    "http://localhost/a.npy", "memory://a.npy", "s3://bucket/a.npy", "file::/etc/passwd", "a/b::file:///etc/passwd",
    "x::memory://a.npy", "http://[bad/a.npy", "HTTP://127.0.0.1/a.npy", "data:,1",
]  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_manifest_of_a_server_names_its_own_files(name: str) -> None:
    """A list that anybody wrote would choose what of this machine and of its network is read."""
    with served(Web({"d/list.txt": f"a.npy\n{name}\n".encode(), "d/a.npy": FILE})) as web:
        manifest = f"@{web.address}/d/list.txt"
        assert is_elsewhere(manifest)
        if name == "data:,1":  # no address, and so the name of a file beside the list
            assert names_of(manifest).files[1] == f"{web.address}/d/data:,1"
            return
        with pytest.raises(InputError, match="only files of that server") as caught:
            open_inputs(manifest, None, None)
    assert caught.value.details["at"] == manifest
    assert name[:20] in caught.value.details["found"]


def test_a_manifest_of_a_server_names_what_is_its_own() -> None:
    """Beside it, above it, or by its address."""
    with served(Web({"d/list.txt": b""})) as web:
        host = web.address.removeprefix("http://")
        listed = ["a.npy", "../b.npy", "e/c.npz:logits", web.address + "/d.npy", f"HTTP://u:p@{host}/e.npy"]
        web.files["d/list.txt"] = "\n".join(listed).encode()
        files = names_of(f"@{web.address}/d/list.txt").files
    beside = f"{web.address}/d/"
    assert files == (beside + "a.npy", beside + "../b.npy", beside + "e/c.npz:logits", *listed[3:])


def test_a_manifest_of_this_machine_may_name_anything(tmp_path: Path) -> None:
    """Its owner wrote it."""
    (tmp_path / "list.txt").write_text("/b.npy\nhttps://host/c.npy\n")
    assert names_of(f"@{tmp_path}/list.txt").files == ("/b.npy", "https://host/c.npy")


def test_a_store_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever package of fsspec it is: the limit is the same."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    fsspec.filesystem("memory").pipe_file("/hangs.npy", FILE)
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: time.sleep(30))
        with refused("takes too long", "memory://hangs.npy"):
            open_array("memory://hangs.npy")
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "info", lambda *_, **__: time.sleep(30))
        with refused("takes too long", "memory://hangs.npy"):
            open_array("memory://hangs.npy")
    fsspec.filesystem("memory").store.clear()


def test_a_store_that_tells_no_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a file that somebody replaces could not be told apart."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    fsspec.filesystem("memory").pipe_file("/a.npy", FILE)
    told = {"name": "/a.npy", "size": len(FILE), "type": "file"}
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_, **__: told)
    with refused("does not tell one version", "memory://a.npy"):
        open_array("memory://a.npy")
    fsspec.filesystem("memory").store.clear()


def test_the_limit_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in the variable must not be an end, or no limit at all."""
    for value in ("soon", "0", "0.0", "-1", "nan", "inf", "1e9"):
        monkeypatch.setenv("XENT_SERVER_TIMEOUT", value)
        with pytest.raises(UsageError, match="no number of seconds"), answering(part) as address:
            open_array(f"{address}/a.npy")
