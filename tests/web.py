"""A web server on this machine's own loopback, with or without ranges, that counts what it gives."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Web:
    """What the server has, how it behaves, and what it gave."""

    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)  # of files that are refused
    has_ranges: bool = True
    tells_size: bool = True
    version: int = 1
    given: int = 0  # bytes of bodies
    asked: int = 0  # requests
    address: str = ""


@contextmanager
def served(web: Web) -> Iterator[Web]:
    """The server, running."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            web.asked += 1
            name = self.path.lstrip("/")
            status = web.statuses.get(name, 200 if name in web.files else 404)
            body = web.files[name] if status == 200 else b""
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            start, stop = (int(wanted[1]), int(wanted[2]) + 1) if wanted and web.has_ranges else (0, len(body))
            is_part = bool(wanted and web.has_ranges and status == 200)
            self.send_response(206 if is_part else status)
            self.send_header("ETag", f'"{web.version}"')
            if is_part:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(body)}")
            if web.tells_size:
                self.send_header("Content-Length", str(len(body[start:stop])))
            self.end_headers()
            if with_body:
                web.given += len(body[start:stop])
                self.wfile.write(body[start:stop])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # the usual 5 is fewer than a reader asks for at once

    server = Server(("127.0.0.1", 0), Handler)
    web.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Request:
    """What a client asks for, and where an answer goes that no server of a library would give."""

    method: str
    path: str
    start: int | None  # of the range
    stop: int | None
    send: Callable[[bytes], object]


@contextmanager
def answering(answer: Callable[[Request], object]) -> Iterator[str]:
    """A server that answers each request by this function, which sends what it likes; its address."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()) not in {b"", b"\r\n"}:
                head += line
            if head:
                wanted = re.search(rb"^Range: bytes=(\d+)-(\d+)", head, re.MULTILINE | re.IGNORECASE)
                ends = (int(wanted[1]), int(wanted[2]) + 1) if wanted else (None, None)
                method, path, _ = head.decode().split(" ", 2)
                with suppress(OSError):  # the client has gone
                    answer(Request(method, path.lstrip("/"), *ends, self.connection.sendall))

    class Server(ThreadingTCPServer):
        daemon_threads, block_on_close, request_queue_size = True, False, 64

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
