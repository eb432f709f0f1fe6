"""What a page with pictures asks of a run beside the loss, as far as the input has it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.question.grouping import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.question.grouping import By
    from xentcli.question.policy import Policy
    from xentcli.question.problem import Problem

MOST_CLASSES = 1000  # from which on a table of them is no picture


def drawn(problem: Problem, policy: Policy) -> Policy:
    """The policy with all metrics, by class and by position where there are few classes, and positions."""
    return replace(policy, metrics=True, by=tuple(dict.fromkeys((*policy.by, *_parts(problem, policy)))))


def _parts(problem: Problem, policy: Policy) -> Iterator[By]:
    if problem.classes <= MOST_CLASSES:
        yield "class"
    grouping = policy.grouping or ENTRIES
    if (grouping.rows or math.prod(problem.sample_shape[1:])) > 1:
        yield "position"
