"""What is done to the logits before the loss is taken of them, and what is added to it of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LEAST, GREATEST = 1e-30, 1e30  # float32, in which torch divides by them, has them and their products with its roundings


@dataclass(frozen=True)
class Transform:
    """y = x/T, and then y = K·tanh(y/K), of the stored logits x; at least one of both.

    temperature  T; None is 1, and then nothing is divided
    softcap      K; None caps nothing
    """

    temperature: float | None = None
    softcap: float | None = None

    @classmethod
    def of(cls, temperature: float | None, softcap: float | None) -> Transform | None:
        """None where nothing is done."""
        return None if temperature is None and softcap is None else cls(temperature, softcap)

    def applied(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits that the loss is taken of, as torch computes them in the dtype of these; of the same shape.

        >>> Transform(softcap=30.0).applied(torch.tensor([0.0, 1.0, 1000.0]))
        tensor([ 0.0000,  0.9996, 30.0000])
        """
        scaled = logits if self.temperature is None else logits / self.temperature
        return scaled if self.softcap is None else self.softcap * torch.tanh(scaled / self.softcap)


def check_range(name: str, value: float) -> None:
    """UsageError for a number that some format of the paths has not with its roundings."""
    if not LEAST <= value <= GREATEST:
        raise UsageError(
            f"the {name} is out of range", found=str(value), expected=f"a number from {LEAST:g} to {GREATEST:g}"
        )


def refuse_beside(given: Mapping[str, float | None], others: Collection[str]) -> None:
    """UsageError for options that say that the numbers are no logits, one a class, as they were computed."""
    found = [name for name, value in given.items() if value is not None]
    if found and others:
        raise UsageError(
            "only logits, one a class, have a temperature, a cap or a z-loss",
            found=f"{' and '.join(found)} beside {', '.join(others)}",
            hint=f"leave {' and '.join(found)} out",
        )
