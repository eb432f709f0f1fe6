"""A failure as lines to paste: the arrays of its case written out, or read from what `--export` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentcli.conform.kinds.call import TORCH_OPTIONS

if TYPE_CHECKING:
    import torch

    from xentcli.conform.kinds.call import Call, Kind
    from xentcli.records.conformance import CaseResult

PASTEABLE = 64  # numbers of an array that are written out
FOLDER = "cases"


def reproduction(
    callee: tuple[list[str], str], kind: Kind, call: Call, result: CaseResult, stored: str
) -> tuple[str, ...]:
    """The call of a case that fails, and what it should have given.

    callee  what is imported, and how it is called then
    stored  the format of the exported arrays
    """
    imports, called = callee
    arrays = dict(call.arrays) | ({} if call.upstream is None else {"upstream": call.upstream})
    read = {name: array for name, array in arrays.items() if array.numel() > PASTEABLE}
    lines = [f"# xent conform --loss {kind.name} --export {FOLDER}", "import numpy"] if read else []
    lines += ["import torch", *imports]
    lines += [f"{name} = {_read(call, name, array, stored) if name in read else literal(array)}"
              for name, array in arrays.items()]  # fmt: skip
    worst = result.worst
    gradient = worst.what.removeprefix("gradient of ") if worst and worst.what.startswith("gradient") else ""
    lines += [f"{gradient}.requires_grad_()"] if gradient else []
    lines.append(f"result = {called}({', '.join(_arguments(kind, call))})")
    if gradient:
        above = "result, torch.ones_like(result)" if call.upstream is None else "result, upstream"
        output, grad = above.split(", ", 1)
        lines.append(f"print(torch.autograd.grad({output}, {gradient}, {grad})[0])")
    else:
        lines.append("print(result)")
    if worst is not None:
        index = f" at {list(worst.index)}" if worst.index else ""
        lines.append(f"# got {worst.got!r}{index}, certified {worst.certified!r}, allowed error {worst.allowed:.2g}")
    return tuple(lines)


def literal(array: torch.Tensor) -> str:
    """A tensor written out."""
    text = repr(array.tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")
    return f"torch.tensor({text}, dtype={array.dtype})"


def _read(call: Call, name: str, array: torch.Tensor, stored: str) -> str:
    """A tensor from the exported file; bfloat16 lies there as its bits."""
    file = f'numpy.load("{FOLDER}/arrays/{call.name.replace("/", ".")}.{name}.npy")'
    if array.is_floating_point() and stored != call.dtype:
        return f"torch.from_numpy({file}).to({array.dtype})"
    if str(array.dtype) == "torch.bfloat16":
        return f'torch.from_numpy({file}.view("int16")).view(torch.bfloat16)'
    return f"torch.from_numpy({file})"


def _arguments(kind: Kind, call: Call) -> list[str]:
    """By position the arrays, by name what is not at its default."""
    first = [name if name in call.arrays else f"[{', '.join(_parts(name, call))}]" for name in kind.arrays]
    named: dict[str, Any] = {name: name for name in kind.keywords if name in call.arrays}
    named |= {name: repr(value) for name, value in call.options.items()
              if name in kind.keywords and (name not in TORCH_OPTIONS or value != TORCH_OPTIONS[name])}  # fmt: skip
    return [*first, *(f"{kind.keywords[name][0]}={value}" for name, value in named.items())]


def _parts(name: str, call: Call) -> list[str]:
    return [f"{name}{number}" for number in range(int(call.option("parts")))]
