"""Slow is not wrong: what a program works and idles counts, not what a busy machine keeps it waiting."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from xentcli.conform.asking.channel import Channel, FatalError, Limits
from xentcli.conform.asking.family import Tree
from xentcli.conform.asking.patience import LONGEST, Patience, Work

SLEEPER = "import sys, time\nsys.stdin.readline()\ntime.sleep(60)"
BUSY = "import sys\nsys.stdin.readline()\nwhile True: pass"


def after(looks: list[tuple[float, Work | None]], limit: float = 20.0) -> Patience:
    patience = Patience(limit, 0.0, Work(0.0, waits=True))
    for now, work in looks:
        patience.look(now, work)
    return patience


def test_a_program_that_a_busy_machine_keeps_waiting_is_not_slow() -> None:
    """Eight builds on two cores made every case of a right kernel hang."""
    crowded = after([(float(second), Work(second / 8.0, waits=True)) for second in range(1, 101)])
    assert crowded.spent == pytest.approx(12.5)
    assert not crowded.ended
    starved = after([(float(second), Work(0.0, waits=True)) for second in range(1, 101)])
    assert not starved.ended


def test_a_program_that_sleeps_or_works_too_long_hangs() -> None:
    """The limit is for them."""
    assert after([(21.0, Work(0.0, waits=False))]).ended == "no answer within 20 s"
    assert after([(21.0, Work(21.0, waits=True))]).ended == "no answer within 20 s"
    assert after([(21.0, None)]).ended == "no answer within 20 s"


def test_processors_at_once_count_no_more_than_the_clock() -> None:
    """Sixteen threads work twenty seconds in little more than one."""
    assert not after([(2.0, Work(32.0, waits=True))]).ended


def test_a_program_that_waits_without_end_is_ended_by_the_clock() -> None:
    """A machine so busy that nothing comes of it must not hold a pipeline for ever."""
    assert "busy" in after([(20.0 * LONGEST + 1.0, Work(0.0, waits=True))]).ended


@pytest.mark.parametrize("script", [SLEEPER, BUSY], ids=["sleeps", "works"])
def test_what_hangs_is_ended(script: str) -> None:
    """By the processes' own account, whichever way they hang."""
    limits = Limits(start_seconds=0.6)
    with (
        Channel([sys.executable, "-c", script], limits) as channel,
        pytest.raises(FatalError, match="hangs: no answer within"),
    ):
        channel.ask({"id": 1})


def test_the_work_of_a_program_is_that_of_its_children_too() -> None:
    """A launcher that waits for its workers does nothing itself."""
    launcher = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    process = subprocess.Popen([sys.executable, "-c", launcher], start_new_session=True)
    tree = Tree(process.pid)
    try:
        end = time.monotonic() + 20.0
        while (work := tree.work()) is not None and (work.seconds < 0.2 or not work.waits) and time.monotonic() < end:
            time.sleep(0.05)
        assert work is None or (work.seconds >= 0.2 and work.waits)
    finally:
        tree.kill()
        process.wait()
