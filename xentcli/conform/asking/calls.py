"""How a Python callable is found, and called with arrays of its own kind."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.cases.layouts import laid_out
from xentcli.errors import UsageError
from xentcli.sources.files import near_name

if TYPE_CHECKING:
    from types import ModuleType

    from xentcli.conform.cases.case import Inputs

Function = Callable[..., Any]
Computed = tuple[torch.Tensor, torch.Tensor | None]  # the loss, and the gradient where asked for

BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
DEFAULTS = {"weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}


class UnsupportedError(Exception):
    """The implementation does not offer this; `str()` says what."""


def find(path: str) -> Function:
    """The callable that `package.module:name` or `file.py:name` names; a module alone means its `cross_entropy`.

    A class of `nn.Module` takes the options when it is made.
    """
    return adapted(located(path, "cross_entropy"))


def located(path: str, default: str) -> Function:
    """The callable as it is; a module alone means its member of that name."""
    place, _, name = path.partition(":")
    found: Any = _module(place)
    for part in (name or default).split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(
                f"{place} has no {part}", found=path, expected="package.module:function or file.py:function"
            ) from None
    if not callable(found):
        raise UsageError(f"{path} cannot be called", found=type(found).__name__, expected="a function or a class")
    function: Function = found
    return function


def adapted(function: Function) -> Function:
    """The function as the battery calls it: with all of torch's options, whichever it knows."""
    if isinstance(function, type) and issubclass(function, torch.nn.Module):
        return _made_with_options(function)
    if isinstance(function, torch.nn.Module):
        return _with_its_own_options(function)
    return _with_known_options(function)


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


def _made_with_options(kind: type[torch.nn.Module]) -> Function:
    create = _with_known_options(kind)
    return lambda logits, target, **options: create(**options)(logits, target)


def _with_its_own_options(module: torch.nn.Module) -> Function:
    def call(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> Any:
        for name, value in options.items():
            own = getattr(module, name, DEFAULTS[name])
            if not (own is value is None if name == "weight" else own == value):
                raise UnsupportedError(f"it is made with {name} {own!r}")
        return module(logits, target)

    return call


def _with_known_options(function: Function) -> Function:
    """The function without the options that it does not know and that are at their defaults."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C
        return function
    if any(each.kind == inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return function

    def call(*arrays: Any, **options: Any) -> Any:
        for name, value in options.items():
            if name not in parameters and not _is_default(name, value):
                raise UnsupportedError(f"it has no option {name}")
        return function(*arrays, **{name: value for name, value in options.items() if name in parameters})

    return call


def _is_default(name: str, value: Any) -> bool:
    """Whether an option says nothing; weights are an array, which compares element by element."""
    return value is None if name == "weight" else bool(value == DEFAULTS[name])


def call_with_torch(
    function: Function, inputs: Inputs, layout: dict[str, Any], options: dict[str, Any], gradient: int
) -> tuple[Computed, list[str]]:
    """The loss and the gradient by autograd; and the names of the arrays that were written to."""
    arrays = {name: laid_out(array, layout.get(name, "contiguous")) for name, array in inputs.named().items()}
    logits = arrays["logits"]
    if gradient:
        arrays[inputs.variable].requires_grad_()
    loss = function(logits, arrays["target"], weight=arrays.get("weight"), **options)
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"it returns {type(loss).__name__}, not a tensor")
    slope = None
    for _ in range(gradient):
        slope = _backward(loss, arrays[inputs.variable], arrays.get("upstream"))
        if slope is None:
            raise UnsupportedError(f"no gradient with respect to the {inputs.variable}")
    changed = [name for name, array in inputs.named().items() if not _same(arrays[name].detach(), array)]
    return (loss.detach(), slope), changed


def _backward(loss: torch.Tensor, leaf: torch.Tensor, upstream: torch.Tensor | None) -> torch.Tensor | None:
    if not loss.requires_grad:
        raise UnsupportedError("no gradient: the result does not require one")
    if upstream is None:  # `loss.sum().backward()`: the upstream gradient is one number, expanded
        upstream = torch.ones((), dtype=loss.dtype).expand(loss.shape)
    slope: torch.Tensor | None  # nothing where the loss does not depend on it
    (slope,) = torch.autograd.grad(loss, leaf, upstream.to(loss.dtype), retain_graph=True, allow_unused=True)
    return None if slope is None else slope.detach().clone()


def call_with_numpy(
    function: Function, inputs: Inputs, layout: dict[str, Any], options: dict[str, Any], gradient: int
) -> tuple[Computed, list[str]]:
    """The loss; NumPy has no gradient, and no bfloat16."""
    if gradient:
        raise UnsupportedError("no gradient: NumPy has none")
    if inputs.logits.dtype == torch.bfloat16:
        raise UnsupportedError("no bfloat16: NumPy has none")
    arrays = {name: laid_out(array, layout.get(name, "contiguous")).numpy() for name, array in inputs.named().items()}
    loss = np.asarray(function(arrays["logits"], arrays["target"], weight=arrays.get("weight"), **options))
    changed = [name for name, array in inputs.named().items() if not _same(torch.from_numpy(arrays[name]), array)]
    return (torch.from_numpy(loss.copy()), None), changed


def call_with_jax(
    function: Function, inputs: Inputs, _layout: dict[str, Any], options: dict[str, Any], gradient: int
) -> tuple[Computed, list[str]]:
    """The loss, and the gradient by `jax.vjp`; its arrays cannot be written to, and have no strides."""
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    arrays = {name: _to_jax(jax, array) for name, array in inputs.named().items()}

    def of(values: Any) -> Any:
        given = arrays | {inputs.variable: values}
        return function(given["logits"], given["target"], weight=given.get("weight"), **options)

    if not gradient:
        return (_from_jax(jax, of(arrays[inputs.variable])), None), []
    loss, pull = jax.vjp(of, arrays[inputs.variable])
    upstream = arrays.get("upstream")
    slope = pull(jax.numpy.ones_like(loss) if upstream is None else upstream.astype(loss.dtype))[0]
    return (_from_jax(jax, loss), _from_jax(jax, slope)), []


def _to_jax(jax: Any, values: torch.Tensor) -> Any:
    if values.dtype == torch.bfloat16:
        return jax.numpy.asarray(values.float().numpy()).astype(jax.numpy.bfloat16)
    return jax.numpy.asarray(values.numpy())


def _from_jax(jax: Any, values: Any) -> torch.Tensor:
    values = jax.numpy.asarray(values)
    if values.dtype == jax.numpy.bfloat16:
        return torch.from_numpy(np.array(values.astype(jax.numpy.float32))).bfloat16()
    return torch.from_numpy(np.array(values))


def _same(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Equal bit by bit, a NaN to itself too."""
    bits = BITS[left.itemsize]
    return torch.equal(left.view(bits), right.view(bits))


CALLS: dict[str, Callable[..., tuple[Computed, list[str]]]] = {
    "torch": call_with_torch,
    "numpy": call_with_numpy,
    "jax": call_with_jax,
}
