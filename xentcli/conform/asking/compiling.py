"""A function under torch.compile, which must give what it gives without."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from xentcli.conform.asking.finding import Callee, Function, UnsupportedError

if TYPE_CHECKING:
    from types import ModuleType

MOST_SHAPES = 100_000  # compiled anew for so many; beyond its own limit torch would go on uncompiled, and not say so


def compiled(callee: Callee) -> Callee:
    """The function compiled whole; what the compiler itself cannot do is not offered."""
    _set_limits(import_module("torch._dynamo.config"))
    functorch: Any = import_module("torch._functorch.config")
    functorch.donated_buffer = False  # else a second backward through the same graph is an error
    inductor: Any = import_module("torch._inductor.config")
    inductor.compile_threads = 1  # its workers would count as the implementation's memory
    return replace(callee, function=_telling(torch.compile(callee.function)))


def _set_limits(config: ModuleType) -> None:
    for name in ("recompile_limit", "accumulated_recompile_limit", "cache_size_limit", "accumulated_cache_size_limit"):
        if hasattr(config, name):
            setattr(config, name, MOST_SHAPES)


def _telling(function: Function) -> Function:
    """The function, whose compiler's own errors are told apart from those of what it compiles."""

    def call(*arrays: Any, **options: Any) -> Any:
        try:
            return function(*arrays, **options)
        except import_module("torch._dynamo.exc").TorchDynamoException as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise UnsupportedError(f"torch.compile: {type(error).__name__}: {first}") from error

    return call
