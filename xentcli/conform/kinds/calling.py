"""How a callable on tensors is called: arrays by position, the rest by the names that it knows."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from xentcli.conform.asking.finding import Function, UnsupportedError
from xentcli.conform.kinds.call import LOSS, TORCH_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xentcli.conform.kinds.call import Call, Kind

Results = dict[str, torch.Tensor]


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
    if call.gradients:
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
