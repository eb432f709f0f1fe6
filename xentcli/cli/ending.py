"""How signals end a run: in order, and within two seconds whatever hangs, with nothing left behind."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

GRACE_SECONDS = 2.0  # for an orderly end: unfinished files go, the facts of a long run are saved, processes are ended
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not on every system

unfinished: list[Path] = []  # files and folders that are not to be found after a run that did not come to its end


class Ending:
    """Takes the first of the signals; whoever sends another one need not wait longer than for that."""

    def __init__(self) -> None:
        self._begun = False
        self._over = Event()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers = {
            each: signal.signal(each, self._end)
            for each in (signal.Signals[name] for name in SIGNALS if name in signal.Signals.__members__)
            if signal.getsignal(each) != signal.SIG_IGN  # nohup ignores one, a shell's background job another
        }
        Thread(target=self._watch, name="xent-ending", daemon=True).start()

    def close(self) -> None:
        """Leave the signals as they were."""
        signal.set_wakeup_fd(self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._over.set()
        os.close(self._writer)  # which ends the thread

    def _end(self, number: int, _frame: FrameType | None) -> None:
        """An exception, so that unfinished files are removed; the code is the shell's for this signal."""
        if self._begun:
            return
        self._begun = True
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    def _watch(self) -> None:
        """The handler runs between two steps of Python: a call that hangs in a library hears of no signal."""
        while number := os.read(self._reader, 1):
            if number[0] in self._handlers and not self._over.wait(GRACE_SECONDS):
                end_now(128 + number[0])
        os.close(self._reader)


@contextmanager
def ending() -> Iterator[None]:
    """Signals end what is in this block."""
    heeded = Ending()
    try:
        yield
    finally:
        heeded.close()


def end_now(code: int) -> NoReturn:
    """End this process and all that it started, and leave nothing unfinished; no thread is waited for."""
    from xentcli.conform.asking.family import descendants

    for process in descendants(os.getpid()):
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
    for path in reversed(unfinished):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
    os._exit(code)
