"""A failure, shrunk to few samples and classes, as lines to paste."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from xentcli.conform.judging.judge import Question, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.asking.implementation import Implementation
    from xentcli.conform.cases.case import Inputs
    from xentcli.records.conformance import CaseResult

ASKED = 40  # smaller calls that are tried
PASTEABLE = 64  # numbers of an array that are written out


@dataclass
class _Budget:
    left: int = ASKED


def reproduce(implementation: Implementation, question: Question, result: CaseResult) -> CaseResult:
    """The result with the smallest call found that goes wrong in the same way."""
    budget = _Budget()
    while True:
        smaller = next(_failing(implementation, question, result, budget), None)
        if smaller is None:
            break
        question, result = smaller
    return replace(result, reproduction=_lines(implementation, question, result))


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
        if (found.outcome, found.reason) == (result.outcome, result.reason) and answer.kind == "value":
            yield smaller, replace(found, reports=result.reports, notes=result.notes)


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


def _lines(implementation: Implementation, question: Question, result: CaseResult) -> tuple[str, ...]:
    worst = result.worst
    lines = ["import torch", *implementation.imports()]
    lines += [f"{name} = {_literal(array)}" for name, array in question.inputs.named().items()]
    if question.case.rows:
        again = f"torch.arange({question.case.rows}) % {len(question.inputs.logits)}"
        lines.append(f"logits, target = logits[{again}], target[{again}]")
    if question.case.gradient and worst is not None and worst.what == "gradient":
        lines.append(f"{question.inputs.variable}.requires_grad_()")
    call = implementation.example(question.case, weighted=question.inputs.weight is not None)
    if worst is not None and worst.what == "gradient":
        upstream = ", upstream" if question.inputs.upstream is not None else ""
        lines.append(f"loss = {call}")
        lines.append(f"print(torch.autograd.grad(loss{upstream or '.sum()'}, {question.inputs.variable})[0])")
    else:
        lines.append(f"print({call})")
    if worst is not None:
        index = f" at {list(worst.index)}" if worst.index else ""
        lines.append(f"# got {worst.got!r}{index}, certified {worst.certified!r}, allowed error {worst.allowed:.2g}")
    return tuple(lines)


def _literal(array: torch.Tensor) -> str:
    if array.numel() <= PASTEABLE:
        text = repr(array.tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")
        return f"torch.tensor({text}, dtype={array.dtype})"
    if bool((array == array.reshape(-1)[0]).all()):
        return f"torch.full({tuple(array.shape)}, {array.reshape(-1)[0].item()!r}, dtype={array.dtype})"
    return f"...  # {array.dtype} of shape {tuple(array.shape)}; `xent conform --export` writes the file"
