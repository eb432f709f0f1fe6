"""Whether there is room for a case of gigabytes: what a machine cannot hold is no failure of an implementation."""

from __future__ import annotations

import math
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Case, Inputs

HELD = 3  # the arrays as they came, the copy that may be written to, and log-probabilities of the same size
FRAMEWORK = 1 << 30  # what an implementation takes before it is asked anything


def shortage(case: Case, inputs: Inputs, memory_limit: int, folder: Path) -> str:
    """What there is too little of to ask the case, or nothing."""
    copies = case.rows / len(inputs.logits) if case.rows else 1.0
    arrays = copies * sum(array.nbytes for array in inputs.named().values())
    memory = HELD * arrays + FRAMEWORK
    rooms = (
        (memory, "of memory, --memory-limit is", memory_limit),
        (memory, "of memory, the machine has free", _free_memory()),
        (arrays, f"in {folder.parent}, where there are free", shutil.disk_usage(folder).free),
    )
    short = (f"it needs {_gib(need)} GiB {what} {_gib(room)}" for need, what, room in rooms if need > room)
    return next(short, "")


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g}"


def _free_memory() -> float:
    """What can be had without swapping; infinite where the system has no /proc to say so."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024.0 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    return math.inf
