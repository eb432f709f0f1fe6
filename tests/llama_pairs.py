"""Pairs of models that llama-perplexity compared, and what it printed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xentcli.sources.open import open_array, open_pair

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array, Values

HERE = Path(__file__).parent / "comparing" / "llama"
ALL = os.environ.get("XENT_LLAMA")
PAIRS = ["self-512", "q4_0-509"]
OTHERS = ["f16-512", "q8_0-512", "q4_0-32000"]
NEEDS_ALL = pytest.mark.skipif(not ALL, reason="XENT_LLAMA names no folder with the other pairs")


def folder(pair: str) -> Path:
    """Where a pair lies: the small ones here, all of them in the folder that XENT_LLAMA names."""
    return (HERE if pair in PAIRS else Path(ALL)) / pair


def sides(pair: str) -> tuple[Array, Array, Values]:
    """The base file's log-probabilities, the other model's logits, and the labels."""
    base, labels = open_pair(str(folder(pair) / "base.kld"))
    return base, open_array(str(folder(pair) / "other.npy")), labels.values


def expected(pair: str) -> list[dict]:
    """The 34 lines, as printed and as computed in three ways."""
    return json.loads((folder(pair) / "expected.json").read_text())["lines"]


every_pair = pytest.mark.parametrize("pair", [*PAIRS, *(pytest.param(name, marks=NEEDS_ALL) for name in OTHERS)])
