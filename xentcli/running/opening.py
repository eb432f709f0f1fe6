"""How other processes open a problem: they are sent a few plain values, and read the data themselves."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass, field
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import torch

from xentcli import __version__
from xentcli.errors import InputError, UsageError, WorkersError, XentError
from xentcli.losses.kernels import check_kernels
from xentcli.question.share import RowRange
from xentcli.running.identity import arrays_of, differing, digest, file_versions
from xentcli.running.pipeline import in_order, thread_crew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from xentcli.numbers.arrays import Array
    from xentcli.running.identity import Read
    from xentcli.running.inputs import Inputs
    from xentcli.running.pipeline import Crew

    class Facts(Protocol):
        """What is known of some rows."""

        @property
        def samples(self) -> int: ...

        @property
        def read(self) -> Read: ...


Result = TypeVar("Result")
Seen = tuple[tuple[str, str], ...]

BY_NAME = "workers read the files themselves, by the same names: put them where all can see them"
OPEN_AT_ONCE = 2  # problems that a worker keeps open: of this run, and of another client's beside it

_one_at_a_time = Lock()  # several threads of one worker shall not all read the same file


@dataclass(frozen=True)
class Elsewhere:
    """Processes that share no memory with this one: how they are reached, and how each of them opens the problem.

    Both functions take nothing; `make` is sent to the workers, and so pickles as names and plain values.
    """

    start: Callable[[], AbstractContextManager[Crew]]
    make: Callable[[], Inputs]


@dataclass(frozen=True)
class Opening:
    """What a worker needs to open the problem of one run, and what it must find."""

    run: str  # unlike any other run's, as a file may change between two of them
    make: Callable[[], Inputs] = field(compare=False)
    seen: Seen = field(compare=False)
    files: tuple[str, ...] = field(compare=False)  # which files they are
    versions: tuple[tuple[str, str], ...] = field(compare=False)
    certified: bool = field(compare=False)  # whether enclosures are wanted of the workers
    blocks: dict[str, Any] = field(compare=False)  # how the problem is cut, which `make` does not know

    @classmethod
    def of(cls, make: Callable[[], Inputs], problem: Inputs, *, certified: bool) -> Opening:
        """How to open this problem, which `make` makes, again."""
        blocks = {
            "block_bytes": problem.block_bytes,
            "in_parts": problem.in_parts,
            "digested": problem.sides[0].digested,
        }
        files = file_versions(problem)
        return cls(uuid.uuid4().hex, make, _seen(problem), files, versions(), certified, blocks)


@dataclass(frozen=True)
class Found(Generic[Result]):
    """What a worker found, in files that it opened itself."""

    result: Result
    worker: str
    is_same: bool  # whether they are our files, and no others by these names


@dataclass(frozen=True)
class Team:
    """Who computes the blocks of a problem, and how each of them sees it."""

    problem: Inputs
    start: Callable[[], AbstractContextManager[Crew]]
    opening: Opening | None = None  # None where they see this process's memory

    @classmethod
    def of(cls, problem: Inputs, threads: int | None, elsewhere: Elsewhere | None, *, certified: bool) -> Team:
        """Who computes; what fits in memory is computed by threads, sooner than it is sent for."""
        if threads is not None and threads < 1:
            raise UsageError("threads is out of range", found=str(threads), expected="1 or more")
        if elsewhere is None or not problem.streamed:
            return cls(problem, partial(thread_crew, threads or torch.get_num_threads()))
        return cls.elsewhere(problem, elsewhere, certified=certified)

    @classmethod
    def elsewhere(cls, problem: Inputs, elsewhere: Elsewhere, *, certified: bool) -> Team:
        """Processes that open the problem themselves; arguments as for `Opening`."""
        return cls(problem, elsewhere.start, Opening.of(elsewhere.make, problem, certified=certified))

    def measured(self, crew: Crew, calls: Iterable[tuple[Any, ...]], first_row: int) -> Iterator[Any]:
        """The facts of consecutive rows from the first one on, in their order.

        calls  for each run of rows a function, and what it takes beside the problem
        Errors: InputError where a worker read other numbers than are here.
        """
        if self.opening is None:
            yield from in_order(crew, [partial(function, self.problem, *rest) for function, *rest in calls])
            return
        sent = (partial(there, self.opening, function, *rest) for function, *rest in calls)
        for found in in_order(crew, sent):
            rows = RowRange(first_row, first_row + found.result.samples)
            if not found.is_same:
                self._refuse_other(rows, found)
            yield found.result
            first_row = rows.stop

    def once(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The function of the problem and the arguments, computed by one of them that has our files; else here."""
        if self.opening is not None:
            with self.start() as crew:
                (found,) = in_order(crew, [partial(there, self.opening, function, *arguments)])
            if found.is_same:
                return found.result
        return function(self.problem, *arguments)

    def _refuse_other(self, rows: RowRange, found: Found[Facts]) -> None:
        other = differing(self.problem, rows, found.result.read)
        if other is not None:
            raise InputError(
                "a worker read other numbers than are here",
                at=f"{other.path}, {found.worker}",
                found=f"another file by this name: {rows} differ",
                hint=BY_NAME,
            )


def there(opening: Opening, function: Callable[..., Result], *arguments: Any) -> Found[Result]:
    """On a worker: the function of the problem and the arguments; an error names the worker beside the file."""
    torch.set_num_threads(1)
    worker = f"worker on {platform.node()}, process {os.getpid()}"
    try:
        with _one_at_a_time:
            problem = _opened(opening)
        return Found(function(problem, *arguments), worker, not problem.sides[0].compared)
    except XentError as error:
        at = ", ".join(filter(None, (error.details["at"], worker)))
        raise type(error)(error.what, **error.details | {"at": at}) from error


def versions() -> tuple[tuple[str, str], ...]:
    """What must be the same everywhere for the same bytes."""
    return ("xentcli", __version__), ("torch", str(torch.__version__)), ("numpy", np.__version__)


@lru_cache(OPEN_AT_ONCE)
def _opened(opening: Opening) -> Inputs:
    if versions() != opening.versions:  # a worker that came after the client looked
        raise WorkersError("a worker has other versions", found=_listed(versions()), expected=_listed(opening.versions))
    if opening.certified:
        check_kernels()
    problem = opening.make().read_as(**opening.blocks)
    for (name, found), (_, expected) in zip(_seen(problem), opening.seen, strict=True):
        if found != expected:
            raise InputError(
                "a worker finds another file by this name",
                at=name,
                found=found,
                expected=expected,
                hint=BY_NAME,
            )
    files = file_versions(problem)  # of what is open by now: whoever replaces a file meanwhile has another version
    return problem.read_as(compared=files != opening.files or not all(files))


def _seen(problem: Inputs) -> Seen:
    """The path of each input, and what it holds."""
    return tuple((array.path, _described(array)) for array in arrays_of(problem))


def _described(array: Array) -> str:
    return f"{array.format}, {array.dtype}, {array.described()}, SHA-256 of some numbers {digest(array)[:16]}"


def _listed(found: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found)
