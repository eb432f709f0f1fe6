"""What is judged: a program behind a channel, or a function in this very process; both are asked in the same words."""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from xentcli.conform.asking.calls import CALLS, UnsupportedError
from xentcli.conform.asking.channel import Channel, FatalError, GarbledError, Limits
from xentcli.conform.asking.room import shortage
from xentcli.conform.cases.corpus import ARRAYS
from xentcli.conform.cases.files import read_answer, write_array
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import torch

    from xentcli.conform.asking.calls import Function
    from xentcli.conform.cases.case import Case, Inputs

Kind = Literal["value", "unsupported", "error", "fatal", "garbled"]

PATIENCE = 15.0  # time limits for a case of gigabytes
SAID = 500  # characters of what a program says that are kept
SPARE_BYTES = 1 << 16  # of a file, for its header and for small answers of a wrong shape


@dataclass(frozen=True, eq=False)
class Answer:
    """What an implementation did with one call."""

    kind: Kind
    said: str = ""  # why there is no value
    loss: torch.Tensor | None = None
    gradient: torch.Tensor | None = None
    changed: tuple[str, ...] = ()  # the inputs that it wrote to


class Implementation(Protocol):
    """Somebody's cross-entropy."""

    @property
    def name(self) -> str:
        """How a report calls it."""

    @property
    def arrays(self) -> str:
        """What it is given: arrays of torch, numpy or jax, or exec for a program."""

    @property
    def spelled(self) -> str:
        """How a reader names it: a Python path, or a command."""

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        """Its answer to one call; never an exception."""

    def restart(self) -> None:
        """Forget all that went before."""

    def imports(self) -> list[str]:
        """What a reader imports to call it."""

    def example(self, case: Case, *, weighted: bool) -> str:
        """How a reader calls it, in Python; the arrays are called logits, target, weight."""


@dataclass(frozen=True)
class InProcess:
    """A function that is trusted not to take this process with it."""

    name: str
    function: Function
    arrays: str = "torch"

    @property
    def spelled(self) -> str:
        return self.name

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        try:
            (loss, slope), changed = CALLS[self.arrays](
                self.function, case.asked(inputs), dict(case.layout), case.keywords(), case.gradient
            )
        except (NotImplementedError, UnsupportedError) as error:
            return Answer("unsupported", str(error) or "NotImplementedError")
        except Exception as error:  # whatever the implementation raises is its answer
            return Answer("error", f"{type(error).__name__}: {error}".splitlines()[0])
        return Answer("value", loss=loss, gradient=slope, changed=tuple(changed))

    def restart(self) -> None:
        """Nothing is remembered."""

    def imports(self) -> list[str]:
        return []

    def example(self, case: Case, *, weighted: bool) -> str:
        return f"{getattr(self.function, '__name__', self.name)}({_call(case, weighted=weighted)})"


@dataclass
class Program:
    """A program behind a channel, started when it is first asked and anew when it went away."""

    name: str
    command: Sequence[str]
    limits: Limits
    spelled: str  # how a reader names it: a Python path, or a command
    python: bool
    arrays: str = "torch"
    ending: str = ""  # what was wrong with its last orderly end
    _channel: Channel | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        short = shortage(case, inputs, self.limits.memory_bytes, Path(self._folder.name)) if case.large else ""
        if short:
            return Answer("unsupported", f"not asked: {short}")
        if self._channel is None:
            try:
                self._channel = Channel(self.command, self.limits)
            except OSError as error:
                raise UsageError("the command cannot be run", at=self.spelled, found=str(error.strerror)) from error
        folder = Path(self._folder.name)
        try:
            asked = case.asked(inputs)
            request = self._request(case, asked, folder)
            answer = self._channel.ask(request, PATIENCE if case.large else 1.0)
            return self._answer(answer, folder, asked)
        except FatalError as error:
            self.restart()
            return Answer("fatal", str(error))
        except GarbledError as error:
            self.restart()
            return Answer("garbled", str(error))
        finally:
            self._clear(folder)

    def _clear(self, folder: Path) -> None:
        """Leave nothing of this call to the next one."""
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def restart(self) -> None:
        if self._channel is not None:
            self._channel.__exit__(None, None, None)
            self._channel = None

    def finish(self) -> None:
        """An orderly end, and a note of what was wrong with it."""
        if self._channel is not None:
            self.ending = self._channel.finish()
            self.restart()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restart()
        self._folder.cleanup()

    def imports(self) -> list[str]:
        if not self.python:
            return []
        place, _, name = self.spelled.partition(":")
        module = place.removesuffix(".py").rsplit("/", 1)[-1]
        folder = str(Path(place).resolve().parent) if place.endswith(".py") else ""
        found = ["import sys", f"sys.path.insert(0, {folder!r})"] if folder else []
        return [*found, f"from {module} import {(name or 'cross_entropy').split('.')[0]}"]

    def example(self, case: Case, *, weighted: bool) -> str:
        name = self.spelled.partition(":")[2] or "cross_entropy" if self.python else "torch.nn.functional.cross_entropy"
        call = _call(case, weighted=weighted)
        if name.rpartition(".")[2][:1].isupper():  # a class takes the options when it is made
            return f"{name}({call.removeprefix('logits, target').removeprefix(', ')})(logits, target)"
        return f"{name}({call})"

    def _request(self, case: Case, inputs: Inputs, folder: Path) -> dict[str, Any]:
        """What is asked, under a name that tells nothing: an answer must not be looked up."""
        key = secrets.randbits(52)
        arrays = {name: folder / f"{key}.{name}.npy" for name in inputs.named()}
        for name, array in inputs.named().items():
            write_array(arrays[name], array)
        return {
            "id": key,
            "dtype": inputs.dtype,
            "logits": str(arrays["logits"]),
            "target": str(arrays["target"]),
            "target_kind": "labels" if inputs.has_labels else "probabilities",
            "weight": str(arrays["weight"]) if "weight" in arrays else None,
            **case.keywords(),
            "want": ["loss", inputs.slope_name] if case.gradient else ["loss"],
            "upstream": str(arrays["upstream"]) if "upstream" in arrays else None,
            "backward": case.gradient,
            "layout": dict(case.layout),
            "loss": str(folder / f"{key}.loss.npy"),
            "gradient": str(folder / f"{key}.gradient.npy"),
        }

    def _answer(self, answer: dict[str, Any], folder: Path, asked: Inputs) -> Answer:
        if "missing" in answer and self.python:
            raise UsageError(str(answer["missing"]))
        if "unsupported" in answer:
            return Answer("unsupported", str(answer["unsupported"])[:SAID])
        if "error" in answer:
            return Answer("error", str(answer["error"])[:SAID])
        most_bytes = 8 * (asked.logits.numel() + asked.target.numel()) + SPARE_BYTES
        loss, slope = (_named_array(answer, name, folder, most_bytes) for name in ("loss", asked.slope_name))
        return Answer("value", loss=loss, gradient=slope, changed=_names(answer.get("changed")))


def python_program(path: str, arrays: str, limits: Limits) -> Program:
    """A Python callable in a child process."""
    command = [sys.executable, "-P", "-m", "xentcli.conform.asking.responder", path, arrays]
    return Program(path, command, limits, spelled=path, python=True, arrays=arrays)


def any_program(command: str, limits: Limits) -> Program:
    """A command line; it is not given to a shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError("the command cannot be read", found=command, expected=str(error)) from error
    if not words:
        raise UsageError("the command is empty")
    return Program(
        words[0].rsplit("/", 1)[-1] if len(words) == 1 else command, words, limits, command, python=False, arrays="exec"
    )


def _named_array(answer: dict[str, Any], name: str, folder: Path, most_bytes: int) -> torch.Tensor | None:
    if name not in answer:
        return None
    try:
        return read_answer(folder, str(answer[name]), most_bytes)
    except ValueError as error:
        raise GarbledError(f"{name} {str(answer[name])[-60:]!r} {error}") from None


def _names(value: object) -> tuple[str, ...]:
    """Of the arrays that there are; what else a program calls changed is none of them."""
    return tuple(name for name in ARRAYS if isinstance(value, list) and name in value)


def _call(case: Case, *, weighted: bool) -> str:
    """The arguments, without those at their defaults."""
    defaults = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
    given = {name: value for name, value in case.keywords().items() if value != defaults[name]}
    weight = ["weight=weight"] if weighted else []
    return ", ".join(["logits", "target", *weight, *(f"{name}={value!r}" for name, value in given.items())])
