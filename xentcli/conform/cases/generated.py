"""Cases beyond the corpus, drawn at random: shapes, dtypes, options and families of logits in every combination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.cases.case import Case, Inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILY = "generated"
ABOUT = "random shapes, dtypes, options and logits"
DTYPES = ("float64", "float32", "bfloat16", "float16")
SPREADS = (0.01, 1.0, 3.0, 10.0, 40.0)


def generated(seed: int, examples: int) -> Iterator[Case]:
    """So many cases; each depends on the seed and on its own number alone."""
    for number in range(examples):
        yield _case(np.random.default_rng([seed, number]), f"{FAMILY}/{seed}-{number}")


def _case(draw: np.random.Generator, name: str) -> Case:
    dtype = str(draw.choice(DTYPES))
    classes, inner = int(draw.integers(1, 20)), [int(size) for size in draw.integers(1, 4, int(draw.integers(0, 3)))]
    shape = (int(draw.integers(1, 6)), classes, *inner)
    logits = torch.from_numpy(draw.normal(0.0, float(draw.choice(SPREADS)), shape)).to(getattr(torch, dtype))
    weight = torch.from_numpy(draw.uniform(0.1, 3.0, classes)).to(logits.dtype) if draw.random() < 0.3 else None
    options: dict[str, Any] = {"label_smoothing": float(draw.choice([0.0, 0.0, 0.1, 0.5]))}
    # 16-bit reductions have families of their own, and torch fails them
    options["reduction"] = str(draw.choice(["none", "sum", "mean"])) if dtype in DTYPES[:2] else "none"
    if draw.random() < 0.25:
        raw = torch.from_numpy(draw.gamma(1.0, 1.0, shape))
        target = (raw / raw.sum(1, keepdim=True)).to(logits.dtype)
    else:
        options["ignore_index"] = int(draw.choice([-100, -1, classes - 1, classes + 7]))
        target = torch.from_numpy(draw.integers(0, classes, (shape[0], *inner)))
        target[torch.from_numpy(draw.random(tuple(target.shape))) < 0.2] = options["ignore_index"]
    inputs = Inputs(logits, target, weight)
    return Case(name=name, about=ABOUT, load=lambda: inputs, gradient=int(draw.random() < 0.5), **options)
