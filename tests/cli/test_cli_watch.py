"""The bar on a terminal: it is there while somebody waits, and nothing of it is left; how far the work came is told."""

from __future__ import annotations

import io
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
from process import DIFFERS, INSTANT, TIMEOUT, xent
from screen import Screen, Seen, Session, session

from xentcli.cli.watch import LARGE, Watch, sizes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = ("compute", *DIFFERS, "--digits", "999")  # it takes so long
FOR_EVER = ("compute", *DIFFERS, "--digits", "1000")
XTERM = {"TERM": "xterm"}
WIDTHS = pytest.mark.parametrize("columns", [40, 80, 200])
TOLD = r"interrupted while computing: [\d,]+ of 16,384 rows done\n  so far    mean 14\.8583564990698\n"


def at_a_terminal(*arguments: str, columns: int, cwd: Path, env: dict[str, str] | None = None) -> Seen:
    with session(*arguments, columns=columns, cwd=cwd, env=env or XTERM, program=INSTANT) as running:
        return running.end()


def until(begun: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not begun():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_bar(running: Session) -> bool:
    return "14.8583564990698" in running.printed()


@WIDTHS
def test_the_bar_goes_without_a_trace(columns: int, tmp_path: Path) -> None:
    """Rows, speed, time and loss of each piece of work, no line too long, and then a terminal as it was."""
    seen = at_a_terminal(*SECONDS, "-o", "out", columns=columns, cwd=tmp_path)
    for words in ("computing", "looking for the mistake", "16,384 rows", "GB/s", "left", "mean 14.8583564990698"):
        assert words in seen.printed
    screen = seen.screen
    assert (screen.text(), screen.column, screen.cursor, screen.wrapped) == ("", 0, True, 0)
    assert (tmp_path / "out").exists()


def test_the_report_stands_where_the_bar_stood(tmp_path: Path) -> None:
    """Both streams are one terminal, and the report begins at the beginning of its first line."""
    quick, slow = (at_a_terminal(*run, columns=80, cwd=tmp_path) for run in (SECONDS[:3], SECONDS))
    assert slow.printed != quick.printed
    assert slow.screen.text() == quick.screen.text() != ""


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ((), {"TERM": "dumb"}),
        ((), {"TERM": "dumb", "FORCE_COLOR": "1"}),
        (("-q",), XTERM),
        (("-qq",), XTERM),
    ],
)
def test_who_gets_no_bar(arguments: tuple[str, ...], env: dict[str, str], tmp_path: Path) -> None:
    """A terminal that cannot print over a line, and somebody who asked for quiet."""
    seen = at_a_terminal(*SECONDS, *arguments, "-o", "out", columns=80, cwd=tmp_path, env=env)
    assert (seen.code, seen.printed) == (0, "")


@pytest.mark.parametrize("env", [{}, {"FORCE_COLOR": "1"}, {"TERM": "xterm"}])
def test_a_log_is_not_animated(env: dict[str, str], tmp_path: Path) -> None:
    """A CI log that asks for colours still keeps every line that is printed over."""
    ended = xent(*SECONDS, "-o", "out", cwd=tmp_path, env=env, program=INSTANT)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_only_the_report_is_redirected(tmp_path: Path) -> None:
    """`xent ... > report` at a terminal: the bar has that terminal's width, and the file none of it."""
    with (
        (tmp_path / "report").open("wb") as file,
        session(*SECONDS, columns=40, cwd=tmp_path, env=XTERM, program=INSTANT, stdout=file) as running,
    ):
        seen = running.end()
    assert "mean 14.8583564990698" in seen.printed
    assert (seen.screen.text(), seen.screen.wrapped) == ("", 0)
    assert "\x1b" not in (tmp_path / "report").read_text()


@WIDTHS
@pytest.mark.parametrize("drawn", [True, False], ids=["drawn", "not yet drawn"])
def test_ctrl_c(columns: int, drawn: bool, tmp_path: Path) -> None:
    """The key itself, with the ^C that the terminal shows: what was done stands there as such, and nothing else."""
    (tmp_path / "out").write_text("of yesterday")
    begun = tmp_path / "begun"
    env = XTERM | {"BEGUN": str(begun)}
    with session(*FOR_EVER, "-o", "out", columns=columns, cwd=tmp_path, env=env, program=INSTANT) as running:
        until(lambda: has_bar(running) if drawn else begun.exists())
        begun.unlink()
        running.press(b"\x03")
        seen = running.end()
    assert seen.code == 130
    assert "^C" in seen.printed
    assert re.fullmatch(TOLD, unwrapped(seen))
    assert (seen.screen.column, seen.screen.cursor) == (0, True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out", "of yesterday")]


def unwrapped(seen: Seen) -> str:
    """What stands on the terminal, were it wider than any message."""
    return Screen(1000).feed(seen.printed).text() if seen.screen.wrapped else seen.screen.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_by_somebody_else(number: signal.Signals, tmp_path: Path) -> None:
    """`timeout 60 xent ...` at a terminal: the same words, the code of the signal."""
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the signal is ignored here, and so in every process started from here")
    with session(*FOR_EVER, columns=80, cwd=tmp_path, env=XTERM, program=INSTANT) as running:
        until(lambda: has_bar(running))
        running.process.send_signal(number)
        seen = running.end()
    assert seen.code == 128 + number
    assert re.fullmatch(TOLD, seen.screen.text())
    assert seen.screen.cursor


@pytest.mark.parametrize(("arguments", "told"), [(("-q",), True), (("-qq",), False)])
def test_quiet_when_ended(arguments: tuple[str, ...], told: bool, tmp_path: Path) -> None:
    """-qq prints nothing, whatever happens, but errors."""
    env = XTERM | {"BEGUN": str(tmp_path / "begun")}
    with session(*FOR_EVER, *arguments, columns=80, cwd=tmp_path, env=env, program=INSTANT) as running:
        until((tmp_path / "begun").exists)
        running.press(b"\x03")
        seen = running.end()
    assert seen.code == 130
    assert bool(re.fullmatch(TOLD, seen.screen.text())) is told


@pytest.mark.parametrize(("size", "quiet", "terminal"), [(LARGE, 0, True), (LARGE - 1, 0, True), (LARGE, 1, True),
                                                         (LARGE, 0, False)])  # fmt: skip
def test_a_large_input_is_announced(size: int, quiet: int, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds pass before torch is there to draw a bar; a log and a quiet run get nothing, and nothing is left."""
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)
    monkeypatch.setattr("xentcli.cli.watch.can_animate", lambda _: terminal)
    monkeypatch.setattr("xentcli.cli.watch.columns", lambda _: 30)
    with Watch(quiet=quiet) as watch:
        watch.announce("reading the data", size)
        said = printed.getvalue()
    is_said = size >= LARGE and not quiet and terminal
    assert said == ("reading the data, 67.1 MB; l" if is_said else "")[:27]
    assert Screen(30).feed(printed.getvalue()).text() == ""


def test_the_sizes_of_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern stands for all of its files; what is not here, or comes once, has no size and is no error."""
    monkeypatch.chdir(tmp_path)
    for name, size in (("a-1.npy", 5), ("a-2.npy", 7), ("b.npz", 11)):
        (tmp_path / name).write_bytes(b"x" * size)
    assert sizes("a-*.npy", "b.npz:labels", None, "-", "s3://bucket/c.npy", "nothing.npy") == 23
