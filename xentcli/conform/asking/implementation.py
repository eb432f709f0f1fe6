"""What is judged: a program behind a channel, or a function in this very process; both are asked in the same words."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from xentcli.conform.asking.calls import CALLS
from xentcli.conform.asking.channel import Channel, FatalError, GarbledError, Limits
from xentcli.conform.asking.commands import command_line
from xentcli.conform.asking.declaration import SILENT, Declaration, declaration
from xentcli.conform.asking.finding import Callee, UnsupportedError
from xentcli.conform.asking.room import shortage
from xentcli.conform.cases.corpus import ARRAYS
from xentcli.conform.cases.files import read_answer, write_array
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import torch

    from xentcli.conform.asking.finding import Function
    from xentcli.conform.cases.case import Case, Inputs

Kind = Literal["value", "unsupported", "error", "fatal", "garbled"]

COMPILING = 6.0  # time limits for a case that is compiled first
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
    def declared(self) -> Declaration:
        """What it says of itself, known once it has answered."""

    @property
    def takes(self) -> tuple[str, ...] | None:
        """The options that its signature knows; None where nobody can tell."""

    @property
    def can_say_unsupported(self) -> bool:
        """Whether an error is a fault, as it has a word for what it does not offer."""

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
    declared: Declaration = SILENT
    takes: tuple[str, ...] | None = None
    backward: Function | None = None
    can_say_unsupported = False

    @classmethod
    def of(cls, name: str, callee: Callee, arrays: str = "torch") -> InProcess:
        return cls(name, callee.function, arrays, callee.declared, callee.takes, callee.backward)

    @property
    def spelled(self) -> str:
        return self.name

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        callee = Callee(self.function, self.declared, self.takes, self.backward)
        try:
            (loss, slope), changed = CALLS[self.arrays](
                callee, case.asked(inputs), dict(case.layout), case.keywords(), case.gradient
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
        return f"{getattr(self.function, '__name__', self.name)}({_call(case, self.takes, weighted=weighted)})"


@dataclass
class Program:
    """A program behind a channel, started when it is first asked and anew when it went away."""

    name: str
    command: Sequence[str]
    limits: Limits
    spelled: str  # how a reader names it: a Python path, or a command
    python: bool
    given: Mapping[str, Any] = field(default_factory=dict)  # declared on the command line
    environment: Mapping[str, str] = field(default_factory=dict)  # set for the program
    declared: Declaration = SILENT
    takes: tuple[str, ...] | None = None  # the options that a Python signature knows
    patience: float = 1.0  # time limits that a case may take
    arrays: str = "torch"
    device: str = "cpu"  # where a callable on tensors is given them
    ending: str = ""  # what was wrong with its last orderly end
    _channel: Channel | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    @property
    def can_say_unsupported(self) -> bool:
        return not self.python

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        short = shortage(case, inputs, self.limits.memory_bytes, Path(self._folder.name)) if case.large else ""
        if short:
            return Answer("unsupported", f"not asked: {short}")
        if self._channel is None:
            try:
                self._channel = Channel(self.command, self.limits, self.environment)
            except OSError as error:
                raise UsageError("the command cannot be run", at=self.spelled, found=str(error.strerror)) from error
        folder = Path(self._folder.name)
        try:
            asked = case.asked(inputs)
            request = self._request(case, asked, folder)
            answer = self._channel.ask(request, self.patience * (PATIENCE if case.large else 1.0))
            self._learn(answer)
            if answer.get("spent") is True and self.python:  # it could answer nothing else
                self.restart()
            return self._answer(answer, folder, asked)
        except FatalError as error:
            self.restart()
            return Answer("fatal", str(error))
        except GarbledError as error:
            self.restart()
            return Answer("garbled", str(error))
        finally:
            self._clear(folder)

    def _learn(self, answer: dict[str, Any]) -> None:
        """What the first answer of a process says of the implementation itself."""
        if self._channel is not None and self._channel.answered == 1:
            said = answer.get("conform", {})
            if not isinstance(said, dict):
                raise UsageError("what a program declares is no object", at=self.spelled, found=repr(said)[:SAID])
            self.declared = declaration(said | dict(self.given), self.spelled)
            self._refuse_python_words()
            takes = answer.get("takes")
            self.takes = tuple(map(str, takes)) if self.python and isinstance(takes, list) else None

    def _refuse_python_words(self) -> None:
        """UsageError for what only a function of Python has."""
        if not self.python and (self.declared.returns or self.declared.backward):
            raise UsageError("a program writes its loss and its gradient to files", found="returns, or backward",
                             at=self.spelled)  # fmt: skip

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
        function = (name.partition(",")[0] or "cross_entropy").split(".")[0]
        folder = str(Path(place).resolve().parent) if place.endswith(".py") else ""
        found = ["import sys", f"sys.path.insert(0, {folder!r})"] if folder else []
        there = [f"torch.set_default_device({self.device!r})"] if self.device != "cpu" else []
        return [*found, *there, f"from {module} import {function}"]

    def example(self, case: Case, *, weighted: bool) -> str:
        named = self.spelled.partition(":")[2].partition(",")[0] or "cross_entropy"
        name = named if self.python else "torch.nn.functional.cross_entropy"
        call = _call(case, self.takes, weighted=weighted)
        if name.rpartition(".")[2][:1].isupper():  # a class takes the options when it is made
            return f"{name}({call.removeprefix('logits, target').removeprefix(', ')})(logits, target)"
        returns = self.declared.returns
        return f"{name}({call})" + (f"[{returns.index('loss')}]" if returns else "")

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
            raise UsageError(**answer["missing"])
        if "unsupported" in answer:
            return Answer("unsupported", str(answer["unsupported"])[:SAID])
        if "error" in answer:
            return Answer("error", str(answer["error"])[:SAID])
        most_bytes = 8 * (asked.logits.numel() + asked.target.numel()) + SPARE_BYTES
        loss, slope = (_named_array(answer, name, folder, most_bytes) for name in ("loss", asked.slope_name))
        return Answer("value", loss=loss, gradient=slope, changed=_names(answer.get("changed")))


def python_program(
    path: str,
    arrays: str,
    limits: Limits,
    given: Mapping[str, Any] | None = None,
    *,
    device: str = "cpu",
    compiled: bool = False,
) -> Program:
    """A Python callable in a child process; on a device, and compiled by torch, if that is asked."""
    given = dict(given or {})
    setting = json.dumps({"given": given, "device": device, "compiled": compiled})
    command = [sys.executable, "-P", "-m", "xentcli.conform.asking.responder", path, arrays, setting]
    patience = COMPILING if compiled else 1.0
    return Program(
        path, command, limits, spelled=path, python=True, given=given, patience=patience, arrays=arrays, device=device
    )


def any_program(command: str, limits: Limits, given: Mapping[str, Any] | None = None) -> Program:
    """A command line, which is not given to a shell."""
    line = command_line(command)
    return Program(
        line.name,
        line.words,
        limits,
        line.text.strip(),
        python=False,
        given=dict(given or {}),
        environment=line.environment,
        arrays="exec",
    )


def check_names(programs: Sequence[Program]) -> None:
    """UsageError for two programs that reports would call the same."""
    twice = [name for name, count in Counter(each.name for each in programs).items() if count > 1]
    if twice:
        hint = "name them: --exec first=COMMAND --exec second=COMMAND"
        raise UsageError("two implementations have the same name", found=twice[0], hint=hint)


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


def _call(case: Case, takes: tuple[str, ...] | None, *, weighted: bool) -> str:
    """The arguments, without those at their defaults and those that the signature does not know."""
    defaults = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
    given = {name: value for name, value in case.keywords().items() if value != defaults[name]}
    given = {name: value for name, value in given.items() if takes is None or name in takes}
    weight = ["weight=weight"] if weighted else []
    return ", ".join(["logits", "target", *weight, *(f"{name}={value!r}" for name, value in given.items())])
