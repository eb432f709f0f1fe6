"""How an implementation of another loss is asked: a callable on tensors, or a program behind a pipe."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from xentcli.conform.asking.channel import Channel, FatalError, GarbledError, Limits
from xentcli.conform.asking.commands import command_line
from xentcli.conform.asking.finding import UnsupportedError
from xentcli.conform.cases.files import read_answer, write_array
from xentcli.conform.kinds.call import LOSS
from xentcli.conform.kinds.calling import Results, computed
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import torch

    from xentcli.conform.asking.finding import Function
    from xentcli.conform.kinds.call import Call, Kind

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

    def called(self) -> tuple[list[str], str]:
        """What a reader imports to call it, and how it is called then."""


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

    def called(self) -> tuple[list[str], str]:
        return [], getattr(self.function, "__name__", self.name)


@dataclass
class Program:
    """A program behind a channel, started when it is first asked and anew when it went away."""

    name: str
    command: Sequence[str]
    limits: Limits
    python: bool
    default: str  # what a module alone means
    environment: Mapping[str, str] = field(default_factory=dict)  # set for the program
    _channel: Channel | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    def ask(self, kind: Kind, call: Call) -> Answer:
        if self._channel is None:
            try:
                self._channel = Channel(self.command, self.limits, self.environment)
            except OSError as error:
                raise UsageError("the command cannot be run", at=self.name, found=str(error.strerror)) from error
        folder = Path(self._folder.name)
        try:
            return self._answer(self._channel.ask(_request(kind, call, folder)), kind, call, folder)
        except (FatalError, GarbledError) as error:
            self._restart()
            return Answer("fatal" if isinstance(error, FatalError) else "garbled", str(error))
        finally:
            _clear(folder)

    def called(self) -> tuple[list[str], str]:
        if not self.python:
            return [f"# ask the program what is asked of a function here: {self.name}"], "function"
        place, _, name = self.name.partition(":")
        name = name or self.default
        return [f"from {place.removesuffix('.py').rpartition('/')[2]} import {name.partition('.')[0]}"], name

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
            raise UsageError(**answer["missing"])
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


def _clear(folder: Path) -> None:
    """Leave nothing of this call to the next one."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


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
        "results": {name: str(folder / f"{key}.result.{name}.npy") for name in results},
    }


def python_program(path: str, kind: Kind, limits: Limits) -> Program:
    """A Python callable in a child process."""
    command = [sys.executable, "-P", "-m", "xentcli.conform.kinds.responder", path, kind.name]
    return Program(path, command, limits, python=True, default=kind.function)


def any_program(command: str, limits: Limits) -> Program:
    """A command line, which is not given to a shell."""
    line = command_line(command)
    return Program(line.name, line.words, limits, python=False, default="", environment=line.environment)
