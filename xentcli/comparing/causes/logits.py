"""Other logits than those that were meant: at a temperature, in 16 bits, without the last classes, softmax twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xentcli.comparing.causes.codes import PAIR_CODES
from xentcli.comparing.causes.terms import Logs, stored_as_codes
from xentcli.diagnose.causes.mistake import Rarity

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from xentcli.diagnose.causes.mistake import Mistake

    Floats = NDArray[np.float64]
    Pair = tuple[Floats, Floats]

TEMPERATURES = (0.5, 0.7, 0.8, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 20.0)
SIXTEEN = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def other_logits(x: Floats, y: Floats, padding: int) -> Iterator[tuple[Mistake, Pair, float]]:
    """Each mistake, the logits that it compares instead, and the factor that comes with it.

    padding  how many of the last classes are one number in every row of a side
    """
    for family in (_padded, _rounded, _softmax_twice, _tempered):
        yield from family(x, y, padding)


def _padded(x: Floats, y: Floats, padding: int) -> Iterator[tuple[Mistake, Pair, float]]:
    cause, classes = PAIR_CODES["padded-classes"], x.shape[1]
    if 0 < padding < classes - 1:
        kept = classes - padding
        yield cause.mistake(f"the number over the first {kept:,} classes, without {padding:,} of padding"), (
            x[:, :kept], y[:, :kept]), 1.0  # fmt: skip
    if padding != 1 and classes > 2:
        yield cause.mistake("the number without the last class", Rarity.VARIANT), (x[:, :-1], y[:, :-1]), 1.0


def _rounded(x: Floats, y: Floats, _padding: int) -> Iterator[tuple[Mistake, Pair, float]]:
    cause = PAIR_CODES["sixteen-bit-base"]
    for name, dtype in SIXTEEN.items():
        one, two = (torch.from_numpy(side).to(dtype).double().numpy() for side in (x, y))
        yield cause.mistake(f"the number of a base in {name}"), (one, y), 1.0
        yield cause.mistake(f"the number of an other in {name}", Rarity.VARIANT), (x, two), 1.0
        yield cause.mistake(f"the number of both sides in {name}", Rarity.VARIANT), (one, two), 1.0
    what = "the number of a base in llama.cpp's 16 bits"
    yield cause.mistake(what), (stored_as_codes(Logs.of(x, y).p), y), 1.0


def _softmax_twice(x: Floats, y: Floats, _padding: int) -> Iterator[tuple[Mistake, Pair, float]]:
    cause, logs = PAIR_CODES["softmax-twice"], Logs.of(x, y)
    yield cause.mistake("the number of softmaxes taken for logits"), (logs.chances, logs.others), 1.0
    for what, pair in {"base": (logs.chances, y), "other": (x, logs.others)}.items():
        yield cause.mistake(f"the number where the {what}'s softmax is taken for logits", Rarity.VARIANT), pair, 1.0


def _tempered(x: Floats, y: Floats, _padding: int) -> Iterator[tuple[Mistake, Pair, float]]:
    cause = PAIR_CODES["distillation-temperature"]
    for heat in TEMPERATURES:
        at = f"at temperature {heat:g}"
        yield cause.mistake(f"the number {at}, without the factor T²", Rarity.SEARCHED), (x / heat, y / heat), 1.0
        squared = heat * heat
        yield cause.mistake(f"the number {at}, times T²", Rarity.SEARCHED), (x / heat, y / heat), squared
        yield cause.mistake(f"the number with the base {at}", Rarity.SEARCHED), (x / heat, y), 1.0
        yield cause.mistake(f"the number with the other {at}", Rarity.SEARCHED), (x, y / heat), 1.0
