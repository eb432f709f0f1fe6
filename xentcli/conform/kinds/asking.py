"""How an implementation of another loss is asked: a callable on tensors, or a program behind a pipe."""

from __future__ import annotations

import inspect
import secrets
import shlex
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from xentcli.conform.asking.calls import Function, UnsupportedError
from xentcli.conform.asking.channel import Channel, FatalError, GarbledError, Limits
from xentcli.conform.cases.files import read_answer, write_array
from xentcli.conform.kinds.call import LOSS, TORCH_OPTIONS
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from xentcli.conform.kinds.call import Call, Kind

Results = dict[str, torch.Tensor]
SAID = 500  # characters of what a program says that are kept
SPARE_BYTES = 1 << 16  # of a file, for its header


@dataclass(frozen=True, eq=False)
class Answer:
    """What an implementation did with one call."""

    kind: Literal["value", "unsupported", "error", "fatal", "garbled"]
    said: str = ""  # why there is no value
    results: Results = field(default_factory=dict)  # the loss, and gradients by the names of their arrays
    changed: tuple[str, ...] = ()  # the inputs that it wrote to


class Implementation(Protocol):
    """Somebody's loss."""

    @property
    def name(self) -> str:
        """How a report calls it."""

    def ask(self, kind: Kind, call: Call) -> Answer:
        """Its answer to one call; never an exception."""


@dataclass(frozen=True)
class InProcess:
    """A function that is trusted not to take this process with it."""

    name: str
    function: Function

    def ask(self, kind: Kind, call: Call) -> Answer:
        try:
            results, changed = computed(self.function, kind, call)
        except (NotImplementedError, UnsupportedError) as error:
            return Answer("unsupported", str(error) or "NotImplementedError")
        except Exception as error:  # whatever the implementation raises is its answer
            return Answer("error", f"{type(error).__name__}: {error}".splitlines()[0])
        return Answer("value", results=results, changed=changed)


def computed(function: Function, kind: Kind, call: Call) -> tuple[Results, tuple[str, ...]]:
    """The loss and the gradients by autograd; and the names of the arrays that were written to."""
    arrays = {name: array.clone() for name, array in call.arrays.items()}
    for name in call.gradients:
        arrays[name].requires_grad_()
    returned = _called(function, kind, call, arrays)
    parts = returned if isinstance(returned, tuple | list) else (returned,)
    if not parts or not isinstance(parts[0], torch.Tensor):
        raise TypeError(f"it returns {type(returned).__name__}, not a tensor")
    results = {LOSS: parts[0].detach()}
    for name, part in zip(kind.others, parts[1:], strict=False):
        if isinstance(part, torch.Tensor):
            results[name] = part.detach()
    for _ in range(call.backward if call.gradients else 0):
        results |= _backward(parts[0], {name: arrays[name] for name in call.gradients}, call.upstream)
    changed = tuple(name for name, array in call.arrays.items() if not _same(arrays[name].detach(), array))
    return results, changed


def _called(function: Function, kind: Kind, call: Call, arrays: Mapping[str, torch.Tensor]) -> Any:
    """With the arrays by position, and by name what the implementation knows by one of the names."""
    first = kind.handed(call, arrays)
    parameters = _parameters(function, len(first))
    given = dict(_keywords(kind, call, arrays, parameters))
    if isinstance(function, type) and issubclass(function, torch.nn.Module):
        made = {name: given.pop(name) for name in [*given] if name in inspect.signature(function).parameters}
        return function(**made)(*first, **given)
    return function(*first, **given)


def _parameters(function: Function, taken: int) -> set[str] | None:
    """The names that can be given; None if all can."""
    callables = [function]
    if isinstance(function, type) and issubclass(function, torch.nn.Module):
        callables = [function, function.forward]
    names: set[str] = set()
    for number, each in enumerate(callables):
        try:
            known = list(inspect.signature(each).parameters.values())
        except (TypeError, ValueError):  # written in C
            return None
        if any(one.kind == inspect.Parameter.VAR_KEYWORD for one in known):
            return None
        skipped = (taken + number) if each is callables[-1] else 0  # `self` comes before the arrays
        names |= {one.name for one in known[skipped:]}
    return names


def _keywords(
    kind: Kind, call: Call, arrays: Mapping[str, torch.Tensor], parameters: set[str] | None
) -> Iterator[tuple[str, Any]]:
    """What is given by name; what is at its default is left out where it is not known."""
    for name, spellings in kind.keywords.items():
        value = arrays.get(name, call.option(name))
        if value is None:
            continue
        found = next((each for each in spellings if parameters is None or each in parameters), None)
        if found is not None:
            yield found, kind.spelled(found, value)
        elif name not in kind.offered and (name not in TORCH_OPTIONS or value != TORCH_OPTIONS[name]):
            raise UnsupportedError(f"it has no option {' or '.join(spellings)}")


def _backward(loss: torch.Tensor, leaves: dict[str, torch.Tensor], upstream: torch.Tensor | None) -> Results:
    if not loss.requires_grad:
        raise UnsupportedError("no gradient: the result does not require one")
    above = torch.ones_like(loss) if upstream is None else upstream.to(loss.dtype)
    slopes = torch.autograd.grad(loss, list(leaves.values()), above, retain_graph=True, allow_unused=True)
    pairs = zip(leaves.items(), slopes, strict=True)
    return {name: torch.zeros_like(leaf) if slope is None else slope.detach().clone() for (name, leaf), slope in pairs}


def _same(left: torch.Tensor, right: torch.Tensor) -> bool:
    return torch.equal(left.nan_to_num(), right.nan_to_num()) and torch.equal(left.isnan(), right.isnan())


@dataclass
class Program:
    """A program behind a channel, started when it is first asked and anew when it went away."""

    name: str
    command: Sequence[str]
    limits: Limits
    python: bool
    _channel: Channel | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    def ask(self, kind: Kind, call: Call) -> Answer:
        if self._channel is None:
            try:
                self._channel = Channel(self.command, self.limits)
            except OSError as error:
                raise UsageError("the command cannot be run", at=self.name, found=str(error.strerror)) from error
        folder = Path(self._folder.name)
        try:
            return self._answer(self._channel.ask(_request(kind, call, folder)), kind, call, folder)
        except (FatalError, GarbledError) as error:
            self._restart()
            return Answer("fatal" if isinstance(error, FatalError) else "garbled", str(error))
        finally:
            for path in folder.iterdir():
                path.unlink(missing_ok=True)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restart()
        self._folder.cleanup()

    def _restart(self) -> None:
        if self._channel is not None:
            self._channel.__exit__(None, None, None)
            self._channel = None

    def _answer(self, answer: dict[str, Any], kind: Kind, call: Call, folder: Path) -> Answer:
        if "missing" in answer and self.python:
            raise UsageError(str(answer["missing"]))
        if "unsupported" in answer:
            return Answer("unsupported", str(answer["unsupported"])[:SAID])
        if "error" in answer:
            return Answer("error", str(answer["error"])[:SAID])
        named = answer.get("results")
        if not isinstance(named, dict):
            raise GarbledError("the answer has no results")
        most = 8 * max(array.numel() for array in call.arrays.values()) + SPARE_BYTES
        wanted = (LOSS, *kind.others, *call.gradients)
        results = {name: _read(folder, name, str(named[name]), most) for name in wanted if name in named}
        said = answer.get("changed")
        changed = tuple(name for name in call.arrays if isinstance(said, list) and name in said)
        return Answer("value", results=results, changed=changed)


def _read(folder: Path, name: str, file: str, most: int) -> torch.Tensor:
    try:
        return read_answer(folder, file, most)
    except ValueError as error:
        raise GarbledError(f"{name} {file[-60:]!r} {error}") from None


def _request(kind: Kind, call: Call, folder: Path) -> dict[str, Any]:
    """What is asked, under a name that tells nothing: an answer must not be looked up."""
    key = secrets.randbits(52)
    arrays = dict(call.arrays) | ({} if call.upstream is None else {"upstream": call.upstream})
    files = {name: str(folder / f"{key}.{name}.npy") for name in arrays}
    for name, array in arrays.items():
        write_array(Path(files[name]), array)
    results = (LOSS, *kind.others, *call.gradients)
    return {
        "id": key,
        "kind": kind.name,
        "dtype": call.dtype,
        "upstream": files.pop("upstream", None),
        "arrays": files,
        "options": dict(call.options),
        "gradients": list(call.gradients),
        "backward": call.backward,
        "results": {name: str(folder / f"{key}.result.{name}.npy") for name in results},
    }


def python_program(path: str, kind: Kind, limits: Limits) -> Program:
    """A Python callable in a child process."""
    command = [sys.executable, "-P", "-m", "xentcli.conform.kinds.responder", path, kind.name]
    return Program(path, command, limits, python=True)


def any_program(command: str, limits: Limits) -> Program:
    """A command line; it is not given to a shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError("the command cannot be read", found=command, expected=str(error)) from error
    if not words:
        raise UsageError("the command is empty")
    return Program(command, words, limits, python=False)
