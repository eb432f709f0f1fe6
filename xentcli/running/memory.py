"""How this process holds on to memory between blocks."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
LARGE = 16 << 20  # bytes from which on an array has pages of its own: a block, whose pages may be huge ones
NEVER = 1 << 30


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for what comes next; elsewhere nothing happens.

    By default it gives torch's results back to the system after each call, and the fresh pages of the next one cost as
    much as reading the logits.  For processes that are xent's own: this holds for all that is in them.
    """
    with suppress(OSError, AttributeError, TypeError):  # no glibc
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, NEVER)):
            mallopt(option, value)
