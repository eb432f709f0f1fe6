"""How other processes open a problem: they are sent a few plain values, and read the data themselves."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from xentcli import __version__
from xentcli.errors import InputError, WorkersError, XentError
from xentcli.losses.kernels import check_kernels
from xentcli.running.pipeline import in_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from xentcli.numbers.arrays import Array
    from xentcli.question.problem import Problem
    from xentcli.running.pipeline import Crew

Result = TypeVar("Result")
Seen = tuple[tuple[str, str], ...]

OPEN_AT_ONCE = 2  # problems that a worker keeps open: of this run, and of another client's beside it

_one_at_a_time = Lock()  # several threads of one worker shall not all read the same file


@dataclass(frozen=True)
class Elsewhere:
    """Processes that share no memory with this one: how they are reached, and how each of them opens the problem.

    Both functions take nothing; `make` is sent to the workers, and so pickles as names and plain values.
    """

    start: Callable[[], AbstractContextManager[Crew]]
    make: Callable[[], Problem]


@dataclass(frozen=True)
class Opening:
    """What a worker needs to open the problem of one run, and what it must find."""

    run: str  # unlike any other run's, as a file may change between two of them
    make: Callable[[], Problem] = field(compare=False)
    seen: Seen = field(compare=False)
    versions: tuple[tuple[str, str], ...] = field(compare=False)
    certified: bool = field(compare=False)  # whether enclosures are wanted of the workers
    blocks: dict[str, Any] = field(compare=False)  # how the problem is cut, which `make` does not know

    @classmethod
    def of(cls, make: Callable[[], Problem], problem: Problem, *, certified: bool) -> Opening:
        """How to open this problem, which `make` makes, again."""
        blocks = {"block_bytes": problem.block_bytes, "in_parts": problem.in_parts}
        return cls(uuid.uuid4().hex, make, _seen(problem), versions(), certified, blocks)


@dataclass(frozen=True)
class Team:
    """Who computes the blocks of a problem, and how each of them sees it."""

    problem: Problem
    start: Callable[[], AbstractContextManager[Crew]]
    opening: Opening | None = None  # None where they see this process's memory

    @classmethod
    def elsewhere(cls, problem: Problem, elsewhere: Elsewhere, *, certified: bool) -> Team:
        """Processes that open the problem themselves; arguments as for `Opening`."""
        return cls(problem, elsewhere.start, Opening.of(elsewhere.make, problem, certified=certified))

    def call(self, function: Callable[..., Result], *arguments: Any) -> Callable[[], Result]:
        """The function of the problem and the arguments, as any of them can call it."""
        if self.opening is None:
            return partial(function, self.problem, *arguments)
        return partial(there, self.opening, function, *arguments)

    def once(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The same, computed by one of them."""
        with self.start() as crew:
            (result,) = in_order(crew, [self.call(function, *arguments)])
        return result


def there(opening: Opening, function: Callable[..., Result], *arguments: Any) -> Result:
    """On a worker: the function of the problem and the arguments; an error names the worker beside the file."""
    torch.set_num_threads(1)
    try:
        with _one_at_a_time:
            problem = _opened(opening)
        return function(problem, *arguments)
    except XentError as error:
        worker = f"worker on {platform.node()}, process {os.getpid()}"
        at = ", ".join(filter(None, (error.details["at"], worker)))
        raise type(error)(error.what, **error.details | {"at": at}) from error


def versions() -> tuple[tuple[str, str], ...]:
    """What must be the same everywhere for the same bytes."""
    return ("xentcli", __version__), ("torch", str(torch.__version__)), ("numpy", np.__version__)


@lru_cache(OPEN_AT_ONCE)
def _opened(opening: Opening) -> Problem:
    if versions() != opening.versions:  # a worker that came after the client looked
        raise WorkersError("a worker has other versions", found=_listed(versions()), expected=_listed(opening.versions))
    if opening.certified:
        check_kernels()
    problem = replace(opening.make(), **opening.blocks)
    for (name, found), (_, expected) in zip(_seen(problem), opening.seen, strict=True):
        if found != expected:
            raise InputError(
                "a worker finds another file by this name",
                at=name,
                found=found,
                expected=expected,
                hint="workers read the files themselves, by the same names: put them where all can see them",
            )
    return problem


def _seen(problem: Problem) -> Seen:
    """The path of each input, and what it holds."""
    arrays = (problem.logits, problem.target, problem.options.weight)
    return tuple((array.path, _described(array)) for array in arrays if array is not None)


def _described(array: Array) -> str:
    return f"{array.format}, {array.dtype}, {array.described()}"


def _listed(found: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found)
