"""One call of a loss, with named arrays and options, and what a kind of loss is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from xentcli.conform.kinds.bounded import Bounded, Rounding

LOSS = "loss"  # the first thing that an implementation returns; what else it does has a name of its own

TORCH_OPTIONS: dict[str, Any] = {
    "reduction": "mean",
    "ignore_index": -100,
    "label_smoothing": 0.0,
}  # and their defaults
TORCH_KEYWORDS = {name: (name,) for name in TORCH_OPTIONS}


@dataclass(frozen=True, eq=False, kw_only=True)
class Call:
    """The arrays and options of one call, and which gradients are asked for.

    gradients  names of arrays with respect to which the loss, times `upstream`, is differentiated
    """

    name: str  # family/what
    about: str
    arrays: Mapping[str, torch.Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)
    gradients: tuple[str, ...] = ()
    upstream: torch.Tensor | None = None

    @property
    def family(self) -> str:
        return self.name.split("/")[0]

    @property
    def dtype(self) -> str:
        """The format of the first array of floating-point numbers."""
        first = next(array for array in self.arrays.values() if array.is_floating_point())
        return str(first.dtype).removeprefix("torch.")

    def option(self, name: str, default: Any = None) -> Any:
        return self.options.get(name, default)


Outcome = dict[str, "Bounded"]  # "loss", and the gradients by the names of their arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """A loss that is not plain cross-entropy.

    signature  how a callable is called, for a reader
    arrays     those that are handed by position, in this order
    keywords   the rest, arrays and options: the names by which an implementation may know each
    formula    what is to come out, by the steps of an honest computation with the roundings given
    """

    name: str
    about: str
    signature: str
    arrays: tuple[str, ...]
    keywords: Mapping[str, tuple[str, ...]]
    families: Mapping[str, str]
    cases: Callable[[], tuple[Call, ...]]
    formula: Callable[[Call, Rounding], Outcome]
    others: tuple[str, ...] = ()  # what may be returned after the loss
    offered: tuple[str, ...] = ()  # options that say nothing new, for whoever asks for them
    spellings: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)  # of a name that means another number

    @property
    def function(self) -> str:
        """What a function is called in a module that is named alone."""
        return self.name.replace("-", "_")

    def handed(self, call: Call, arrays: Mapping[str, torch.Tensor]) -> list[Any]:
        """What is given by position."""
        return [self.gathered(name, call, arrays) for name in self.arrays]

    def gathered(self, name: str, call: Call, arrays: Mapping[str, torch.Tensor]) -> Any:
        """One argument: an array, or a list of those that the call counts."""
        if name in arrays:
            return arrays[name]
        return [arrays[f"{name}{number}"] for number in range(int(call.option("parts")))]

    def spelled(self, name: str, value: Any) -> Any:
        """The value as the implementation that calls it so expects it."""
        return self.spellings[name](value) if name in self.spellings else value
