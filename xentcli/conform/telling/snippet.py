"""A call as lines of Python that run as they are, for arrays of any kind and for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.conform.asking.implementation import Implementation
    from xentcli.conform.judging.judge import Question
    from xentcli.records.conformance import CaseResult

FEW = 8  # equal numbers that are written out
PASTEABLE = 64  # numbers of an array that are written out

GIVEN = {  # what becomes of a tensor: a line for each array
    "torch": "",
    "numpy": "{0} = {0}.numpy()",
    "jax": "{0} = jax.numpy.asarray({0}.numpy())",
    "exec": "",
}
IMPORTS = {
    "torch": ("import torch",),
    "numpy": ("import torch",),
    "jax": ("import jax", "import torch", "jax.config.update('jax_enable_x64', True)"),
    "exec": ("import torch", "from xentcli.testing import ask"),
}


def snippet(implementation: Implementation, question: Question, result: CaseResult) -> tuple[str, ...]:
    """The lines; the last ones print what is wrong."""
    kind = implementation.arrays
    arrays = question.inputs.named()
    lines = [*IMPORTS[kind], *implementation.imports()]
    if all(map(is_pasteable, arrays.values())):
        lines += [f"{name} = {_literal(array)}" for name, array in arrays.items()]
        if question.case.rows:
            again = f"torch.arange({question.case.rows}) % {len(question.inputs.logits)}"
            lines.append(f"logits, target = logits[{again}], target[{again}]")
    else:
        lines += ["from xentcli.testing import arrays", f"given = arrays({question.case.name!r})"]
        lines += [f"{name} = given[{name!r}]" for name in arrays]
    if kind != "exec":
        lines += list(_layouts(question))
        lines += [_given(kind, name, array) for name, array in arrays.items() if kind != "torch"]
    lines += SHOWN[kind](implementation, question, result)
    return (*lines, *_comment(result))


def is_pasteable(array: torch.Tensor) -> bool:
    """Whether an array is short enough to be written out, or one number again and again."""
    return array.numel() <= PASTEABLE or bool((array == array.reshape(-1)[0]).all())


def _given(kind: str, name: str, array: torch.Tensor) -> str:
    if kind == "jax" and array.dtype == torch.bfloat16:
        return f"{name} = jax.numpy.asarray({name}.float().numpy()).astype(jax.numpy.bfloat16)"
    return GIVEN[kind].format(name)


def _layouts(question: Question) -> Iterator[str]:
    layout = {name: each for name, each in question.case.layout.items() if each != "contiguous"}
    if layout:
        yield "from xentcli.conform.cases.layouts import laid_out"
    for name, each in layout.items():
        yield f"{name} = laid_out({name}, {each!r})"


def _with_torch(implementation: Implementation, question: Question, result: CaseResult) -> list[str]:
    call = _example(implementation, question)
    changed = (result.names or ("",))[0].partition("in-place:")[2].split(", ")
    if question.case.gradient and _is_of_gradient(result):
        return _torch_gradient(call, question)
    if changed != [""]:
        kept = [f"before = [{', '.join(f'{name}.clone()' for name in changed)}]"]
        return [*kept, call, f"print(before, [{', '.join(changed)}])"]
    return _shown(call, result)


def _torch_gradient(call: str, question: Question) -> list[str]:
    leaf = question.inputs.variable
    upstream = "upstream.to(loss.dtype)" if question.inputs.upstream is not None else "torch.ones_like(loss)"
    if question.inputs.upstream is None:
        upstream = "torch.ones((), dtype=loss.dtype).expand(loss.shape)"
    grad = f"torch.autograd.grad(loss, {leaf}, {upstream}, retain_graph=True)[0]"
    times = question.case.gradient
    return [f"{leaf}.requires_grad_()", f"loss = {call}", *[f"{grad}"] * (times - 1), f"print({grad})"]


def _with_numpy(implementation: Implementation, question: Question, result: CaseResult) -> list[str]:
    call = _example(implementation, question)
    changed = (result.names or ("",))[0].partition("in-place:")[2].split(", ")
    if changed != [""]:
        kept = [f"before = [{', '.join(f'{name}.copy()' for name in changed)}]"]
        return [*kept, call, f"print(before, [{', '.join(changed)}])"]
    return _shown(call, result)


def _with_jax(implementation: Implementation, question: Question, result: CaseResult) -> list[str]:
    call = _example(implementation, question)
    if not (question.case.gradient and _is_of_gradient(result)):
        return _shown(call, result)
    upstream = "upstream.astype(loss.dtype)" if question.inputs.upstream is not None else "jax.numpy.ones_like(loss)"
    return [f"loss, pull = jax.vjp(lambda logits: {call}, logits)", f"print(pull({upstream})[0])"]


def _with_program(implementation: Implementation, question: Question, result: CaseResult) -> list[str]:
    call = implementation.example(question.case, weighted=question.inputs.weight is not None)
    arguments = call.partition("(")[2].removesuffix(")")
    extra = [f"upstream={name}" for name in ("upstream",) if question.inputs.upstream is not None]
    extra += [f"gradient={question.case.gradient}"] if question.case.gradient else []
    layout = {name: each for name, each in question.case.layout.items() if each != "contiguous"}
    extra += [f"layout={layout!r}"] if layout else []
    return _shown(f"ask({', '.join([repr(implementation.spelled), arguments, *extra])})", result)


SHOWN: dict[str, Callable[[Implementation, Question, CaseResult], list[str]]] = {
    "torch": _with_torch,
    "numpy": _with_numpy,
    "jax": _with_jax,
    "exec": _with_program,
}


def _shown(call: str, result: CaseResult) -> list[str]:
    """Printed; twice where two answers differ, by its form where that is what is wrong."""
    form = (result.names or ("",))[0].partition(":")[0]
    if form == "not-repeatable":
        return [f"print({call}, {call})"]
    return (
        [f"result = {call}", "print(result.shape, result.dtype)"] if form in {"shape", "dtype"} else [f"print({call})"]
    )


def _is_of_gradient(result: CaseResult) -> bool:
    return result.worst is None or result.worst.what == "gradient"


def _example(implementation: Implementation, question: Question) -> str:
    return implementation.example(question.case, weighted=question.inputs.weight is not None)


def _comment(result: CaseResult) -> list[str]:
    worst = result.worst
    if worst is None:
        return [f"# {result.reason}"]
    index = f" at {list(worst.index)}" if worst.index else ""
    return [f"# got {worst.got!r}{index}, certified {worst.certified!r}, allowed error {worst.allowed:.2g}"]


def _literal(array: torch.Tensor) -> str:
    if array.numel() > FEW and bool((array == array.reshape(-1)[0]).all()):
        return f"torch.full({tuple(array.shape)}, {_spelled(array.reshape(-1)[0].item())}, dtype={array.dtype})"
    return f"torch.tensor({_spelled(array.tolist())}, dtype={array.dtype})"


def _spelled(values: object) -> str:
    return repr(values).replace("nan", "float('nan')").replace("inf", "float('inf')")
