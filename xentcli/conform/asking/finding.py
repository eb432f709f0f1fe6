"""How a Python callable is found, with what it declares of itself and what its signature knows."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from xentcli.conform.asking.declaration import SILENT, Declaration, declaration
from xentcli.errors import UsageError
from xentcli.sources.files import near_name

if TYPE_CHECKING:
    from types import ModuleType

Function = Callable[..., Any]

DEFAULTS = {"weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
UPSTREAM = ("upstream",)  # that a gradient's function may take
DECLARED = "conform"  # the attribute, or the module's dictionary


class UnsupportedError(Exception):
    """The implementation does not offer this; `str()` says what."""


@dataclass(frozen=True)
class Callee:
    """A Python callable as the battery calls it: with torch's options, of which it gets those that it knows.

    takes     the options that its signature knows; None where it takes any, or does not say
    backward  gives the gradient where the framework does not
    """

    function: Function
    declared: Declaration = SILENT
    takes: tuple[str, ...] | None = None
    backward: Function | None = None
    device: str = "cpu"


def find(path: str, given: Mapping[str, Any] | None = None) -> Callee:
    """The callable that `package.module:name` or `file.py:name` names; a module alone means its `cross_entropy`.

    given   declared on the command line, before what the function declares of itself

    A class of `nn.Module` takes the options when it is made.  `name,backward` names the function of its gradient too.
    """
    module, found, backward = _found(path, "cross_entropy")
    declared = declaration(_declared(found, module, path) | dict(given or {}), path)
    backward = backward or declared.backward or ""
    called = callee(found, declared)
    if not backward:
        return called
    return replace(called, backward=adapted(_attribute(module, backward, path), declared, UPSTREAM))


def located(path: str, default: str) -> Function:
    """The callable as it is; a module alone means its member of that name."""
    return _found(path, default)[1]


def _found(path: str, default: str) -> tuple[ModuleType, Function, str]:
    """The module, the callable in it, and the name of another one behind a comma."""
    place, _, names = path.partition(":")
    name, _, backward = names.partition(",")
    module = _module(place)
    return module, _attribute(module, name or default, path), backward


def callee(function: Function, declared: Declaration | None = None) -> Callee:
    """A function as it is called, by what it declares unless that is given."""
    if declared is None:
        declared = declaration(_declared(function, None, DECLARED), DECLARED)
    backward = declared.backward and getattr(sys.modules.get(function.__module__), declared.backward, None)
    slope = adapted(backward, declared, UPSTREAM) if backward else None
    return Callee(adapted(function, declared), declared, _parameters(function), slope)


def adapted(function: Function, declared: Declaration = SILENT, more: tuple[str, ...] = ()) -> Function:
    """The function as the battery calls it: with all of torch's options, whichever it knows."""
    if isinstance(function, type) and issubclass(function, torch.nn.Module):
        return _made_with_options(function, declared)
    if isinstance(function, torch.nn.Module):
        return _with_its_own_options(function)
    return _with_known_options(function, declared, more)


def _attribute(module: ModuleType, name: str, path: str) -> Function:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            place = path.partition(":")[0]
            raise UsageError(
                f"{place} has no {part}", found=path, expected="package.module:function or file.py:function"
            ) from None
    if not callable(found):
        raise UsageError(f"{path} cannot be called", found=type(found).__name__, expected="a function or a class")
    return found  # type: ignore[no-any-return]


def _declared(function: Function, module: ModuleType | None, at: str) -> dict[str, Any]:
    """What stands beside the function; its own attribute before its module's dictionary."""
    own = getattr(function, DECLARED, None)
    if own is not None and not isinstance(own, Mapping):
        raise UsageError(
            f"what the function declares is no dictionary: its attribute {DECLARED!r}", at=at, found=repr(own)
        )
    beside = vars(module).get(DECLARED) if module is not None else None
    return {**(beside if isinstance(beside, Mapping) else {}), **(own or {})}


def _module(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return import_module(place)
        spec = util.spec_from_file_location(Path(place).stem, place)
        assert spec is not None
        assert spec.loader is not None
        module = util.module_from_spec(spec)
        sys.modules.setdefault(Path(place).stem, module)
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's module does when it is imported
        hint = (near_name(place) if place.endswith(".py") and not Path(place).exists() else "") or "run where it can be"
        raise UsageError(f"{place} cannot be imported", found=f"{type(error).__name__}: {error}", hint=hint) from error
    return module


def _made_with_options(kind: type[torch.nn.Module], declared: Declaration) -> Function:
    create = _with_known_options(kind, declared)
    return lambda logits, target, **options: create(**options)(logits, target)


def _with_its_own_options(module: torch.nn.Module) -> Function:
    def call(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> Any:
        for name, value in options.items():
            own = getattr(module, name, DEFAULTS[name])
            if not (own is value is None if name == "weight" else own == value):
                raise UnsupportedError(f"it is made with {name} {own!r}")
        return module(logits, target)

    return call


def _with_known_options(function: Function, declared: Declaration, more: tuple[str, ...] = ()) -> Function:
    """The function without the options that it does not know and that are at their defaults.

    A reduction that it does not know is left out, whichever it is: it has one of its own.
    """
    known = _known(function, declared)
    if known is None:
        return function

    def call(*arrays: Any, **options: Any) -> Any:
        for name, value in options.items():
            if name not in known and name != "reduction" and not _is_default(name, value, declared):
                raise UnsupportedError(f"it takes no {name}" if name in more else f"it has no option {name}")
        return function(*arrays, **{name: value for name, value in options.items() if name in known})

    return call


def _known(function: Function, declared: Declaration) -> frozenset[str] | None:
    """The options that a function is called with; None for all."""
    parameters = _parameters(function)
    if declared.options is None:
        return None if parameters is None else frozenset(parameters)
    given = frozenset((*declared.options, "reduction", "upstream"))
    return given if parameters is None else given & frozenset(parameters)


def _parameters(function: Function) -> tuple[str, ...] | None:
    """The names that a call may give; None where it may give any, or where nobody knows, as of what is written in C."""
    if isinstance(function, torch.nn.Module):
        return None
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    if any(each.kind == inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return None
    return tuple(parameters)


def _is_default(name: str, value: Any, declared: Declaration) -> bool:
    """Whether an option says nothing; weights are an array, which compares element by element."""
    if name in {"weight", "upstream"}:
        return value is None
    return bool(value == DEFAULTS[name]) or (name == "ignore_index" and value == declared.ignore_index)
