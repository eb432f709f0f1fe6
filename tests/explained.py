"""Explanations of problems in memory, for the tests of what makes and of what prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from xentcli.explain.run import explain
from xentcli.question.problem import Options, Problem
from xentcli.sources.memory import from_memory

if TYPE_CHECKING:
    from strategies import Case

    from xentcli.records.explanation import Explanation, PathStep, Step


def problem(
    logits: Any, target: Any, *, weight: Any = None, dtype: str = "float64", cast: str | None = None, **options: Any
) -> Problem:
    """Of numbers, which become a tensor of `dtype`, or of tensors as they are; `cast` is what --dtype says."""
    exact = logits if isinstance(logits, torch.Tensor) else torch.tensor(logits, dtype=getattr(torch, dtype))
    weights = None if weight is None else from_memory(torch.as_tensor(weight, dtype=exact.dtype), "<weight>")
    block = {"block_bytes": options.pop("block_bytes")} if "block_bytes" in options else {}
    return Problem(
        from_memory(exact, "<logits>"),
        from_memory(torch.as_tensor(target), "<labels>"),
        Options(weight=weights, dtype=cast, **options),
        **block,
    )


def explained(logits: Any, target: Any, row: int | None = 0, digits: int | None = None, **options: Any) -> Explanation:
    return explain(problem(logits, target, **options), row, digits)


def problem_of(case: Case) -> Problem:
    """A random case's, without its reduction."""
    options = {name: value for name, value in case.options.items() if name != "reduction"}
    return problem(case.logits, case.target, weight=case.weight, class_axis=case.class_axis, **options)


def step(told: Explanation, name: str) -> Step:
    return next(each for each in told.steps if each.name == name)


def path_steps(told: Explanation, path: str) -> list[PathStep]:
    """The steps that a path takes."""
    return [getattr(each, path) for each in told.steps if getattr(each, path) is not None]
