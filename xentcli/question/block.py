"""The samples that the paths compute on together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from xentcli.numbers.checksum import Checksums
from xentcli.numbers.tensors import name_of, promoted, sent

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values
    from xentcli.numbers.given import Form
    from xentcli.question.head import Product
    from xentcli.question.transform import Transform


@dataclass(frozen=True)
class Formats:
    """The floating-point formats that the paths get their numbers in, as torch names them."""

    logits: str
    target: str  # of target probabilities; that of the logits for labels
    weight: str

    @property
    def losses(self) -> str:
        """The format of the losses."""
        return promoted(promoted(self.logits, self.target), self.weight)

    def holds(self, block: Block) -> bool:
        """Whether these formats have all numbers that the block's own can have; of the weights, the very numbers."""
        exact = _widens(block.logits, self.logits) and (block.has_labels or _widens(block.target, self.target))
        return exact and (block.weight is None or _keeps(block.weight, self.weight))


@dataclass(frozen=True, eq=False)
class Block:
    """Samples that are computed together, in the user's own shape with the class axis moved to where torch wants it."""

    logits: torch.Tensor  # [N, C, d1, ...] or [C]
    target: torch.Tensor  # labels int64 [N, d1, ...] or [], or probabilities of the logits' shape
    weight: torch.Tensor | None  # [C]
    first_row: int
    stored: Block | None = None  # the same before a cast, by --dtype or of text, took digits from it
    blur: Values | None = None  # how far any −log p may be from that before the logits were quantised; [samples]
    ends: Values | None = None  # or between what the labels' own were, where they alone matter; [2, samples]
    checksums: Checksums | None = None  # of the numbers as they were read; None where nobody compares them
    given: Form = "logits"  # what these really are
    transform: Transform | None = None  # what was done to the logits
    bare: torch.Tensor | None = None  # the logits before that; None where nothing was done
    product: Product | None = None  # of hidden states and a head, which the bare logits are to within rounding

    @property
    def class_dim(self) -> int:
        return min(1, self.logits.ndim - 1)

    @property
    def classes(self) -> int:
        return self.logits.shape[self.class_dim]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Every axis but the class axis."""
        shape = tuple(self.logits.shape)
        return shape[: self.class_dim] + shape[self.class_dim + 1 :]

    @property
    def samples(self) -> int:
        return math.prod(self.sample_shape)

    @property
    def has_labels(self) -> bool:
        return not self.target.is_floating_point()

    @property
    def is_derived(self) -> bool:
        """Whether the logits are computed of other numbers, so that they themselves are rounded."""
        return self.transform is not None or self.product is not None

    @property
    def untransformed(self) -> Block:
        """The same samples with the logits as they were before anything was done to them."""
        if self.bare is None:
            return self
        stored = None if self.stored is None else self.stored.untransformed
        return replace(self, logits=self.bare, bare=None, transform=None, stored=stored)

    def transformed(self, transform: Transform | None, device: str) -> Block:
        """The samples whose loss is asked for: of these logits, and of those before the cast, after the transform.

        It is torch's on the device where the paths compute; the numbers come back.
        """
        if transform is None:
            return self
        stored = None if self.stored is None else self.stored.transformed(transform, device)
        logits = transform.applied(sent(self.logits, device)).cpu()
        return replace(self, logits=logits, bare=self.logits, transform=transform, stored=stored)

    def part(self, start: int, stop: int) -> Block:
        """Some entries of the first axis; they share its memory, and the checksums of all are with the first ones."""
        if not self.sample_shape:
            return self
        each = math.prod(self.sample_shape[1:])  # samples of an entry
        return replace(
            self,
            logits=self.logits[start:stop],
            target=self.target[start:stop],
            first_row=self.first_row + start * each,
            stored=None if self.stored is None else self.stored.part(start, stop),
            blur=None if self.blur is None else self.blur[start * each : stop * each],
            ends=None if self.ends is None else self.ends[:, start * each : stop * each],
            bare=None if self.bare is None else self.bare[start:stop],
            product=None if self.product is None else self.product.part(start, stop),
            checksums=Checksums() if start and self.checksums else self.checksums,
        )

    def on(self, device: str) -> Block:
        """What the paths compute with, on a device; itself on the CPU."""
        if device == "cpu":
            return self
        return replace(
            self,
            logits=sent(self.logits, device),
            target=sent(self.target, device),
            weight=None if self.weight is None else sent(self.weight, device),
        )

    def cast(self, formats: Formats) -> Block:
        """The same samples as the paths get them; a format that loses digits leaves the original in `stored`."""
        return Block(
            logits=_cast(self.logits, formats.logits),
            target=self.target if self.has_labels else _cast(self.target, formats.target),
            weight=None if self.weight is None else _cast(self.weight, formats.weight),
            first_row=self.first_row,
            stored=None if formats.holds(self) else self,
            blur=self.blur,
            ends=self.ends,
            checksums=self.checksums,
            given=self.given,
        )


def _cast(values: torch.Tensor, dtype: str) -> torch.Tensor:
    return values.to(dtype=getattr(torch, dtype))


def _widens(values: torch.Tensor, dtype: str) -> bool:
    return promoted(name_of(values.dtype), dtype) == dtype


def _keeps(values: torch.Tensor, dtype: str) -> bool:
    return bool((values.to(getattr(torch, dtype)).double() == values.double()).all())
