"""The command line, computing a few rows at a time and saving after each: to be interrupted, or killed.

`python killed.py never ARGUMENTS...` runs it once.  `python killed.py SEED ARGUMENTS...` kills it again and again until
it comes through: each process may live a little longer than the one before, and is forked, so that none of its time
goes into importing torch.  Standard error ends with how many different states of the file of --resume were left behind.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from unittest.mock import patch

import xentcli.cli.pairing
import xentcli.cli.parts
import xentcli.question.problem
import xentcli.running.merging
import xentcli.running.partial
from xentcli.cli.main import main

SECONDS, LONGER = 0.1, 1.3  # that the first process lives at most, and how much longer each next one may


def forked(arguments: list[str]) -> int:
    """The process identity of a run that has just begun."""
    child = os.fork()
    if not child:
        with patch.object(sys, "argv", ["xent", *arguments]):
            main()
    return child


def killed(arguments: list[str], seed: int) -> int:
    """How many different states processes left that were killed, on the way to one that ended by itself, and well."""
    kept = Path(arguments[arguments.index("--resume") + 1])
    chance, seconds, states = random.Random(seed), SECONDS, set()
    while True:
        child = forked(arguments)
        time.sleep(seconds * chance.random())
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert not os.waitstatus_to_exitcode(status)
            return len(states)
        states.add(kept.read_bytes() if kept.exists() else b"")
        seconds *= LONGER


if __name__ == "__main__":
    with (
        patch.multiple(xentcli.cli.parts, SAVE_SECONDS=0.0, SAVE_TIMES=0.0),
        patch.object(xentcli.question.problem, "BLOCK_SAMPLES", 8),
    ):
        if sys.argv[1] == "never":
            del sys.argv[1]
            main()
        sys.stderr.write(f"{killed(sys.argv[2:], int(sys.argv[1]))}\n")
