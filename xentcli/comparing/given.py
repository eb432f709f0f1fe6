"""Probabilities and log-probabilities as the logits whose softmax they are, but for a factor of each row.

Log-probabilities are such logits as they stand.  Of a probability p the logit is log p, which numpy's log misses by at
most 8u·|log p|; let h be the greatest of a row.  Then each log-softmax moves by at most 2h: the loss by 2h, too, and a
probability by at most e^2h − 1 of itself.  What the divergences move by is what `quantised` proves of logits that were
moved by h.  Rows that are equal have equal logarithms, and stay equal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.losses.reference import KERNEL, UNIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.question.block import Block
    from xentcli.question.problem import Problem

    Floats = NDArray[np.float64]
    Table = NDArray[Any]

OFF = 1e-3  # what rounding may move the sum of a row's probabilities by, and more where they have few bits
SLACK = 1.0 + 2.0**-30
EXACT_OF_EQUALS = ("kl", "kl_reverse", "js", "tv", "loss_difference", "delta_p")


def as_logits(problem: Problem, block: Block) -> tuple[Block, Floats | None]:
    """The block with logits, and how far each of a sample's may be from the true ones; None for not at all.

    Errors: InputError for a row of a sample that counts whose probabilities do not add up to 1.
    """
    if block.given not in {"probabilities", "log-probabilities"}:
        return block, None
    numbers = block.logits.double()
    chances = numbers if block.given == "probabilities" else numbers.exp()
    _check_sums(problem, block, chances.sum(block.class_dim))
    if block.given == "log-probabilities":
        return replace(block, given="logits"), None
    logits = torch.from_numpy(_log(numbers.numpy()))
    least = torch.where(torch.isneginf(logits), 0.0, logits).abs().amax(block.class_dim)
    half = least.reshape(-1).numpy() * (KERNEL * UNIT)
    return replace(block, logits=logits, stored=block.stored or block, given="logits"), half


def _log(chances: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: Floats = np.log(np.ascontiguousarray(chances))
    return logs


def _check_sums(problem: Problem, block: Block, sums: torch.Tensor) -> None:
    kind = torch.finfo(block.logits.dtype)
    most = max(OFF, 4.0 * kind.eps) + block.classes * kind.smallest_normal * kind.eps
    wrong = ((sums - 1.0).abs() > most) & (block.target != problem.options.ignore_index)
    if wrong.any():
        offset = int(wrong.reshape(-1).to(torch.int8).argmax())
        found = float(sums.reshape(-1)[offset])
        raise InputError(
            "the probabilities of a row do not add up to 1",
            at=f"{problem.logits.path}, row {block.first_row + offset}",
            found=f"{found:.6g}",
            expected=f"1, to {most:.1g}",
            hint="are classes left out? a divergence needs those of all classes; logits: --input logits",
        )


def widen_given(table: Table, halves: tuple[Floats, Floats], before: Table) -> None:
    """Let the ends in the table hold for the true logarithms, in place, where the divergences' do already.

    before  the table of the logarithms as they are, whose equal rows are equal
    """
    base, other = halves
    _add(table, "loss_base", 2.0 * base)
    _add(table, "loss_other", 2.0 * other)
    _add(table, "loss_difference", 2.0 * (base + other))
    moved = table["chance_base"] * np.expm1(2.0 * base) + table["chance_other"] * np.expm1(2.0 * other)
    _add(table, "delta_p", 2.0 * moved)
    same = before["same"]
    for name in (*(f"{name}{end}" for name in EXACT_OF_EQUALS for end in ("_lower", "_upper")), "same"):
        table[name][same] = before[name][same]


def _add(table: Table, name: str, radius: Floats) -> None:
    table[f"{name}_lower"] -= radius * SLACK
    table[f"{name}_upper"] += radius * SLACK
