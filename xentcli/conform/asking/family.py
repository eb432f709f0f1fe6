"""A program and all that it started, whoever their parents are now: what they hold in memory, and their end."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xentcli.conform.asking.patience import Work

PROC = Path("/proc")
UTIME, STARTED = 11, 15  # words of /proc/PID/stat behind the name: its own and its dead children's processor time


class Kin(NamedTuple):
    """Where a process comes from."""

    parent: int
    session: int


@dataclass
class Tree:
    """A program that leads a session of its own, its descendants, and what either started before its parent ended."""

    root: int
    _known: frozenset[int] = frozenset()

    def members(self) -> frozenset[int]:
        """The processes that live; the root alone where the system has no /proc to say so.

        Who once belonged to it still does: a grandchild may leave the session, and its parent may end.
        """
        kin = _everybody()
        found = {self.root} | (self._known & kin.keys())
        found |= {process for process, each in kin.items() if each.session == self.root}
        self._known = frozenset(_with_descendants(found, kin))
        return self._known

    def held_bytes(self) -> int:
        """What they hold in memory together, shared pages divided among those that share them."""
        members = self.members()
        return _resident_bytes(self.root) if len(members) == 1 else sum(map(_proportional_bytes, members))

    def work(self) -> Work | None:
        """What they have worked, with their children that ended, and whether one of them could go on now."""
        states = [state for process in self.members() if (state := _state(process)) is not None]
        return Work(sum(seconds for seconds, _ in states), any(waits for _, waits in states)) if states else None

    def kill(self) -> None:
        """End them all; twice, as one may start another meanwhile."""
        for _ in range(2):
            for process in self.members():
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)


def descendants(root: int) -> set[int]:
    """The processes that this one started, and that those started, as far as the system has a /proc to say so."""
    return _with_descendants({root}, _everybody()) - {root}


def _with_descendants(found: set[int], kin: dict[int, Kin]) -> set[int]:
    while more := {process for process, each in kin.items() if each.parent in found} - found:
        found |= more
    return found


def _everybody() -> dict[int, Kin]:
    return {int(entry.name): kin for entry in PROC.glob("[0-9]*") if (kin := _kin(entry))}


def _kin(entry: Path) -> Kin | None:
    """Of a process that lives; its name, which stands before, may hold anything."""
    with suppress(OSError, IndexError, ValueError):
        state, parent, _, session, *_ = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if state in "ZX" else Kin(int(parent), int(session))
    return None


def _state(process: int) -> Work | None:
    """Of one process; where it has threads, of all of them."""
    with suppress(OSError, IndexError, ValueError):
        words = (PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        seconds = sum(map(int, words[UTIME:STARTED])) / os.sysconf("SC_CLK_TCK")
        return Work(seconds, any(map(_is_runnable, (PROC / str(process) / "task").iterdir())))
    return None


def _is_runnable(task: Path) -> bool:
    with suppress(OSError, IndexError):
        return (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "R"
    return False


def _resident_bytes(process: int) -> int:
    with suppress(OSError, IndexError, ValueError):
        return int((PROC / str(process) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _proportional_bytes(process: int) -> int:
    with suppress(OSError, IndexError, ValueError, StopIteration):
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return _resident_bytes(process)
