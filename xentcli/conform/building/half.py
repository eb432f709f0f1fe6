"""Families about 16-bit logits: what overflows, and what is added up in 16 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xentcli.conform.building.draft import Draft, Family, constant, probabilities, tensor
from xentcli.conform.cases import reports

if TYPE_CHECKING:
    from collections.abc import Iterator


def overflow() -> Iterator[Draft]:
    yield Draft("half-overflow/65520-classes", "the sum of 65,520 exponentials is beyond float16, the loss is 11.09",
                constant((1, 65520), "float16", 0.0), torch.tensor([7]), reports=reports.HALF_MEAN)  # fmt: skip
    yield Draft("half-overflow/smoothing", "the sum of all −log p is beyond float16, its mean is 10.8",
                constant((2, 50257), "float16", 0.0), torch.tensor([0, 50256]), reports=reports.HALF_MEAN,
                options={"label_smoothing": 0.1})  # fmt: skip
    yield Draft("half-overflow/sum-of-losses", "losses of 60,000 whose mean is one of them",
                tensor([[60000.0, 0.0]] * 3, "float16"), torch.tensor([1, 1, 1]), reports=reports.HALF_MEAN,
                options={"reduction": "mean", "strict": True})  # fmt: skip
    yield Draft("half-overflow/sum-itself", "the true sum is beyond float16, and rounds to infinity",
                tensor([[60000.0, 0.0]] * 3, "float16"), torch.tensor([1, 1, 1]), reports=reports.HALF_MEAN,
                options={"reduction": "sum"})  # fmt: skip


def accumulation() -> Iterator[Draft]:
    for rows, classes, dtype in (
        (1000, 10, "bfloat16"), (4096, 10, "float16"), (65520, 2, "float16"), (70000, 2, "float16"),
        (70000, 2, "bfloat16"),
    ):  # fmt: skip
        logits = torch.zeros(1, classes, dtype=getattr(torch, dtype))
        logits[0, 1] = 0.5 if classes == 2 else 0.0  # not ln 2, whose bits are 1 by chance
        yield Draft(f"half-accumulation/{dtype}-{rows}-rows", "the mean of equal losses is that loss",
                    logits, torch.tensor([1]),
                    reports=reports.ACCUMULATION + reports.HALF_MEAN,
                    options={"reduction": "mean", "strict": True, "rows": rows})  # fmt: skip
    for dtype in ("bfloat16", "float16"):
        yield Draft(f"half-accumulation/{dtype}-many-classes", "4,096 exponentials of 1 add up to 4,096",
                    constant((2, 4096), dtype, 1.0), torch.tensor([0, 4095]), reports=reports.ACCUMULATION,
                    options={"strict": True})  # fmt: skip
    name = "half-accumulation/probabilities"
    yield Draft(name, "soft targets of 500 rows", constant((500, 8), "bfloat16", 0.5),
                probabilities(name, (500, 8), "bfloat16"), reports=reports.ACCUMULATION,
                options={"reduction": "mean", "strict": True})  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    ("half-overflow", "float16 intermediates beyond 65504", overflow),
    ("half-accumulation", "sums and means of 16-bit logits", accumulation),
)
