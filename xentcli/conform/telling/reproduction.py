"""A failure, shrunk to few samples and classes, as lines to paste."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.naming.names import is_named
from xentcli.conform.telling.snippet import is_pasteable, snippet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.asking.implementation import Answer, Implementation
    from xentcli.conform.cases.case import Inputs
    from xentcli.records.conformance import CaseResult

ASKED = 40  # smaller calls that are tried
FAILED = ("fails", "differs by convention")
SHRUNK = ("value", "error")  # an answer that costs no new process
WHOLE = {
    "not-repeatable",
    "crash",
    "hangs",
    "memory",
}  # faults that a smaller call need not show, or that cost too much


@dataclass
class _Budget:
    left: int = ASKED


def reproduce(implementation: Implementation, question: Question, result: CaseResult) -> CaseResult:
    """The result with the smallest call found that goes wrong in the same way."""
    budget = _Budget()
    smallest = question, result
    while _is_shrinkable(*smallest):
        smaller = next(_failing(implementation, *smallest, budget), None)
        if smaller is None:
            break
        smallest = smaller
    if not all(map(is_pasteable, smallest[0].inputs.named().values())):
        smallest = question, result  # which has a name by which its arrays are found
    return replace(result, worst=smallest[1].worst, reproduction=snippet(implementation, *smallest))


def _is_shrinkable(question: Question, result: CaseResult) -> bool:
    """Whether a smaller call is the same question, and does no harm."""
    return question.certified is not None and (result.names or ("",))[0].partition(":")[0] not in WHOLE


def _failing(
    implementation: Implementation, question: Question, result: CaseResult, budget: _Budget
) -> Iterator[tuple[Question, CaseResult]]:
    """The smaller calls that fail as the question does."""
    for inputs in _smaller(question.inputs, result):
        if not budget.left:
            return
        budget.left -= 1
        case = question.case.of(inputs)
        smaller = Question.of(case)
        answer = implementation.ask(case, inputs)
        found = judge(smaller, answer)
        if found.outcome in FAILED and answer.kind in SHRUNK and _is_same(smaller, answer, found, result):
            yield smaller, replace(result, worst=found.worst, reason=found.reason if not found.worst else result.reason)


def _is_same(smaller: Question, answer: Answer, found: CaseResult, result: CaseResult) -> bool:
    """Whether a smaller call goes wrong in the same place, and for the same reason where that has a name."""
    if (found.worst is None) != (result.worst is None):
        return False
    if found.worst and result.worst and found.worst.what != result.worst.what:
        return False
    return not result.names or is_named(result.names[0], smaller, answer, found)


def _smaller(inputs: Inputs, result: CaseResult) -> Iterator[Inputs]:
    """Fewer samples, then fewer classes; half of them or one less."""
    rows = len(inputs.logits) if inputs.logits.ndim == 2 else 1
    at = result.worst.index[0] if result.worst and result.worst.index else None
    if at is not None and rows > 1:
        yield _rows(inputs, torch.tensor([at % rows]))
    step = rows // 2
    while step:
        for start in range(0, rows, step) if rows <= 4 * step else (0,):
            kept = torch.cat((torch.arange(start), torch.arange(min(start + step, rows), rows)))
            if 0 < len(kept) < rows:
                yield _rows(inputs, kept)
        step //= 2
    yield from _fewer_classes(inputs)


def _fewer_classes(inputs: Inputs) -> Iterator[Inputs]:
    if inputs.logits.ndim != 2 or not inputs.has_labels:
        return
    classes = inputs.block.classes
    used = set(inputs.block.target.reshape(-1).tolist())
    if not used <= set(range(classes)):
        return  # an ignored label may be a class or not; that must not change
    free = [index for index in range(classes) if index not in used]
    for cut in (free, free[len(free) // 2 :], free[1:], free[:1]):
        if cut and len(cut) < classes:
            kept = torch.tensor(sorted(set(range(classes)).difference(cut)))
            yield replace(
                inputs,
                logits=inputs.logits[:, kept],
                target=torch.searchsorted(kept, inputs.block.target).to(inputs.target.dtype),
                weight=None if inputs.weight is None else inputs.weight[kept],
            )


def _rows(inputs: Inputs, kept: torch.Tensor) -> Inputs:
    upstream = inputs.upstream
    if upstream is not None and upstream.ndim:
        upstream = upstream[kept]
    return replace(inputs, logits=inputs.logits[kept], target=inputs.target[kept], upstream=upstream)
