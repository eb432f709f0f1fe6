"""Whether there is room to begin: without it torch's libraries abort, or exit with a code that is a verdict."""

from __future__ import annotations

import mmap
import os
import re
from contextlib import suppress

from xentcli.errors import InputError

LIBRARIES = 560 << 20  # bytes of addresses that torch and NumPy take
EACH_THREAD = 72 << 20  # that a thread of theirs takes for its stack and for its own memory

# What libraries say, which have no error of their own for it.
SHORTAGE = re.compile(
    r"failed to map segment|cannot allocate memory|can't allocate memory|not enough memory|bad_alloc|out of memory"
    r"|can't start new thread",
    re.IGNORECASE,
)


def check_room() -> None:
    """InputError where a limit of this process leaves no addresses for torch; nothing is done where there is none."""
    needed = LIBRARIES + EACH_THREAD * (os.cpu_count() or 1)
    if _has_limit():
        try:
            mmap.mmap(-1, needed, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ).close()
        except OSError as error:
            raise InputError(
                "a limit of this process leaves too little memory",
                found="ulimit -v",
                expected=f"{needed >> 20:,} MiB of addresses beyond what is taken",
                hint="ulimit -v unlimited",
            ) from error


def shortage(error: Exception) -> InputError | None:
    """The error in our words, if all that it says is that there is no more memory."""
    if isinstance(error, MemoryError) or SHORTAGE.search(str(error)):
        lines = str(error).splitlines()
        return InputError("not enough memory", found=lines[0][:200] if lines else "", hint="fewer samples at a time")
    return None


def _has_limit() -> bool:
    with suppress(ImportError, OSError):  # a system without such limits
        import resource

        return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return False
