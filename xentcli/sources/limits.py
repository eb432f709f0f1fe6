"""How much a file may take of this machine: each limit says what it is, and a variable of the environment raises it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from xentcli.errors import InputError, UsageError


@dataclass(frozen=True)
class Limit:
    """So many bytes of something."""

    what: str  # is wrong with what takes more
    variable: str
    usual: int

    def bytes(self) -> int:
        """What holds for this run; UsageError for a variable that is no number."""
        text = os.environ.get(self.variable, "")
        if not text:
            return self.usual
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise UsageError(
                "this limit is no number of bytes", at=f"the environment variable {self.variable}", found=text[:40]
            )
        return int(text)

    def exceeded(self, at: str, limit: int | None = None, found: str = "") -> InputError:
        """What says that it was."""
        most = self.bytes()
        return InputError(
            self.what,
            at=at,
            found=found,
            expected=f"up to {most if limit is None else limit:,} bytes",
            hint=f"a file to be trusted? {self.variable}={4 * most} raises the limit",
        )


TEMPORARY = Limit("this file unpacks to more than a temporary file may take", "XENT_TEMPORARY_BYTES", 16 << 30)
UNPACKED = Limit("this file unpacks to more than a thousand times its size", "XENT_UNPACKED_BYTES", 1 << 30)
READER_MEMORY = Limit("this file takes its library more memory than it may", "XENT_READER_BYTES", 512 << 20)
READER_TIMES = 8  # as many bytes of memory as a file has may be taken beyond that


def most_memory(size: int) -> int:
    """What a library may take for a file of so many bytes."""
    return READER_MEMORY.bytes() + READER_TIMES * size


LIMITS = (TEMPORARY, UNPACKED, READER_MEMORY)
