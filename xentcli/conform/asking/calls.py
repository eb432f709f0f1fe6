"""How a Python callable is called with arrays of its own kind."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.asking.finding import UnsupportedError
from xentcli.conform.cases.layouts import laid_out

if TYPE_CHECKING:
    from xentcli.conform.asking.finding import Callee
    from xentcli.conform.cases.case import Inputs

Computed = tuple[torch.Tensor, torch.Tensor | None]  # the loss, and the gradient where asked for

BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def call_with_torch(
    callee: Callee, inputs: Inputs, layout: dict[str, Any], options: dict[str, Any], gradient: int
) -> tuple[Computed, list[str]]:
    """The loss and the gradient by autograd; and the names of the arrays that were written to."""
    given = {name: array.to(callee.device) for name, array in inputs.named().items()}
    arrays = {name: laid_out(array, layout.get(name, "contiguous")) for name, array in given.items()}
    own = _has_own_gradient(callee)
    if gradient and not own:
        arrays[inputs.variable].requires_grad_()
    loss, slope = _parts(callee, _called(callee, arrays, options))
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"it returns {type(loss).__name__}, not a tensor")
    if gradient and own:
        slope = torch.as_tensor(_own_gradient(callee, slope, arrays, options, inputs.variable)).detach().cpu()
    for left in reversed(range(0 if own else gradient)):
        slope = _backward(loss, arrays[inputs.variable], arrays.get("upstream"), again=left > 0)
        if slope is None:
            raise UnsupportedError(f"no gradient with respect to the {inputs.variable}")
        slope = slope.cpu()
    changed = [name for name, array in given.items() if not _same(arrays[name].detach(), array)]
    return (loss.detach().cpu(), slope if gradient else None), changed


def _backward(
    loss: torch.Tensor, leaf: torch.Tensor, upstream: torch.Tensor | None, *, again: bool
) -> torch.Tensor | None:
    """The gradient, or nothing where the loss does not depend on it; the graph is kept where it is asked `again`."""
    if not loss.requires_grad:
        raise UnsupportedError("no gradient: the result does not require one")
    if upstream is None:  # `loss.sum().backward()`: the upstream gradient is one number, expanded
        upstream = torch.ones((), dtype=loss.dtype, device=loss.device).expand(loss.shape)
    slope: torch.Tensor | None
    (slope,) = torch.autograd.grad(loss, leaf, upstream.to(loss.dtype), retain_graph=again, allow_unused=True)
    return None if slope is None else slope.detach().clone()


def call_with_numpy(
    callee: Callee, inputs: Inputs, layout: dict[str, Any], options: dict[str, Any], gradient: int
) -> tuple[Computed, list[str]]:
    """The loss, and the gradient that somebody wrote by hand; NumPy has none, and no bfloat16."""
    if gradient and not _has_own_gradient(callee):
        raise UnsupportedError("no gradient: NumPy has none, and no function of it is named")
    if inputs.logits.dtype == torch.bfloat16:
        raise UnsupportedError("no bfloat16: NumPy has none")
    arrays = {name: laid_out(array, layout.get(name, "contiguous")).numpy() for name, array in inputs.named().items()}
    loss, slope = _parts(callee, _called(callee, arrays, options))
    if gradient:
        slope = torch.from_numpy(np.array(_own_gradient(callee, slope, arrays, options, inputs.variable)))
    changed = [name for name, array in inputs.named().items() if not _same(torch.from_numpy(arrays[name]), array)]
    return (torch.from_numpy(np.array(loss)), slope if gradient else None), changed


def call_with_jax(
    callee: Callee, inputs: Inputs, _layout: dict[str, Any], options: dict[str, Any], gradient: int
) -> tuple[Computed, list[str]]:
    """The loss, and the gradient by `jax.vjp`; its arrays cannot be written to, and have no strides."""
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    arrays = {name: _to_jax(jax, array) for name, array in inputs.named().items()}

    def of(values: Any) -> Any:
        return _parts(callee, _called(callee, arrays | {inputs.variable: values}, options))

    if not gradient or _has_own_gradient(callee):
        loss, slope = of(arrays[inputs.variable])
        own = _from_jax(jax, _own_gradient(callee, slope, arrays, options, inputs.variable)) if gradient else None
        return (_from_jax(jax, loss), own), []
    loss, pull = jax.vjp(lambda values: of(values)[0], arrays[inputs.variable])
    upstream = arrays.get("upstream")
    slope = pull(jax.numpy.ones_like(loss) if upstream is None else upstream.astype(loss.dtype))[0]
    return (_from_jax(jax, loss), _from_jax(jax, slope)), []


def _called(callee: Callee, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    return callee.function(arrays["logits"], arrays["target"], weight=arrays.get("weight"), **options)


def _parts(callee: Callee, result: Any) -> tuple[Any, Any]:
    """The loss, and the gradient if that is returned with it."""
    returns = callee.declared.returns
    if returns is None:
        if isinstance(result, tuple):
            raise TypeError(
                f"it returns {type(result).__name__} of {len(result)}: declare returns=0 if that is the loss"
            )
        return result, None
    if not isinstance(result, tuple | list) or len(result) <= returns.index("loss"):
        raise TypeError(f"it returns {type(result).__name__}, and declares a tuple")
    gradient = returns.index("gradient") if "gradient" in returns else len(result)
    return result[returns.index("loss")], result[gradient] if gradient < len(result) else None


def _has_own_gradient(callee: Callee) -> bool:
    return callee.backward is not None or "gradient" in (callee.declared.returns or ())


def _own_gradient(callee: Callee, returned: Any, arrays: dict[str, Any], options: dict[str, Any], variable: str) -> Any:
    """The gradient by the function that is named for it, or the one that came with the loss."""
    if variable != "logits":
        raise UnsupportedError(f"no gradient with respect to the {variable}")
    upstream = arrays.get("upstream")
    if callee.backward is not None:
        weight = arrays.get("weight")
        return callee.backward(arrays["logits"], arrays["target"], weight=weight, upstream=upstream, **options)
    if upstream is not None:
        raise UnsupportedError("its gradient comes with the loss, and takes no upstream")
    if returned is None:
        raise TypeError("no gradient comes with the loss, where one is declared")
    return returned


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
