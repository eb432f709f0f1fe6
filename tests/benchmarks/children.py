"""Whole processes: how long they take, and how much memory they hold at their peak (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
COLD = 0.9  # of the largest file, that a run must fetch from the disk: else its pages were in memory


@dataclass(frozen=True)
class Ended:
    """What a process took, and what it printed."""

    seconds: float
    peak: int  # bytes resident
    printed: str
    processor: float  # seconds of all its threads, in it and in the kernel
    fetched: int  # bytes from the disk and not from the page cache


class StillCachedError(Exception):
    """The pages of some files stay in memory, so that no run of them is a cold one."""


def run(arguments: Sequence[str], threads: int | None = None) -> Ended:
    """Python with these arguments, from its start to its end.

    The peak is never below this process's own, which a child has until it becomes Python: so nothing large is
    imported here.  Errors: RuntimeError with what it printed, unless it ends with 0.
    """
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, cwd=ROOT, env=_environment(threads),
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{text}")
    processor = usage.ru_utime + usage.ru_stime
    return Ended(seconds, usage.ru_maxrss << 10, text, processor, usage.ru_inblock << 9)


def run_cold(arguments: Sequence[str], files: Sequence[Path]) -> Ended:
    """The same with the files on the disk alone; StillCachedError where they were not, as in memory's file systems."""
    drop(files)
    ended = run(arguments)
    largest = max(path.stat().st_size for path in files)
    if ended.fetched < COLD * largest:
        raise StillCachedError(f"{ended.fetched / 1e9:.2g} of {largest / 1e9:.2g} GB came from the disk")
    return ended


def drop(files: Iterable[Path]) -> None:
    """Let the page cache forget them; what is not written yet is written first, as it would stay."""
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _environment(threads: int | None) -> dict[str, str]:
    """This one without xent's settings, with this checkout's package, and so many threads for torch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XENT_")}
    limited = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    return kept | {"PYTHONPATH": str(ROOT)} | limited


def has_device() -> bool:
    """Whether torch finds a CUDA device here; asked of a child, as nothing large is imported in this process."""
    return run(("-c", "import torch; print(torch.cuda.is_available())")).printed.strip() == "True"


def script(name: str, *arguments: object) -> tuple[str, ...]:
    return (str(SCRIPTS / f"{name}.py"), *map(str, arguments))


def xent(*arguments: object) -> tuple[str, ...]:
    return ("-m", "xentcli", *map(str, arguments))
