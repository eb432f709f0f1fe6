"""The command line as its users start it: a process of its own, or this one where a process is not the point."""

from __future__ import annotations

import gc
import io
import math
import os
import signal
import subprocess
import sys
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from xentcli.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROGRAM = (sys.executable, "-m", "xentcli")
INSTANT = (sys.executable, str(Path(__file__).with_name("instant.py")))  # the same without torch
SAMPLES = Path(__file__).parent.parent / "samples"
AGREES = (str(SAMPLES / "tutorial" / "logits.npy"), str(SAMPLES / "tutorial" / "labels.npy"))
DIFFERS = (str(SAMPLES / "confident_wrong" / "logits.npy"), str(SAMPLES / "confident_wrong" / "labels.npy"))
SMALL = ("random", "--samples", "3", "--classes", "2", "--seed", "1")
TIMEOUT = 60  # seconds, after which a process that hangs is killed and its test fails
SETTINGS = ("XENT_", "_XENT_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "PYTHON", "LC_", "LANG")


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it printed."""

    code: int
    out: str
    err: str


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would steer the program, and with these changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {"PYTHONPATH": str(SAMPLES.parent)} | changes


def start(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, program: Sequence[str] = PROGRAM, **streams: Any
) -> subprocess.Popen[bytes]:
    """The program, running; the streams are pipes unless they are given."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*program, *arguments], cwd=cwd, env=environment(**(env or {})), **pipes | streams)


def end(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for the program, and never for ever."""
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())


def xent(*arguments: str, cwd: Path, **settings: Any) -> Ended:
    """The program, from its start, which has the same settings, to its end."""
    return end(start(*arguments, cwd=cwd, **settings))


def xent_here(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """The same in this process, which has imported torch already; warnings are errors here."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        chdir(cwd),
        handlers_kept(),
        collector_kept(),
        patch.dict(os.environ, environment(**(env or {})), clear=True),
        patch("xentcli.cli.telling.INTERVAL", math.inf),  # how fast this machine is must not show
        patch.multiple(sys, argv=["xent", *arguments], stdout=out, stderr=err),
    ):
        try:
            main()
        except SystemExit as ending:
            code = ending.code
    assert isinstance(code, int)
    return Ended(code, *(_written(stream) for stream in (out, err)))


@contextmanager
def handlers_kept() -> Iterator[None]:
    """The signal handlers of this process as they were."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def collector_kept() -> Iterator[None]:
    """The garbage collector of this process as it was: the program tunes it for a run that ends with the process."""
    thresholds = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def is_one_error(ended: Ended) -> bool:
    """Exit code 2, one message on standard error in our words, and nothing on standard output."""
    lines = ended.err.splitlines()
    details = {"  at        ", "  found     ", "  expected  ", "  hint      "}
    told = lines[0].startswith("error: ") and all(line[:12] in details for line in lines[1:]) if lines else False
    return told and ended.code == 2 and not ended.out


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
