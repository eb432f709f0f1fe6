"""The lines of a report run as they are, and print the number that the report tells."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.implementation import Program, any_program, python_program
from xentcli.conform.battery import run
from xentcli.conform.cases.corpus import corpus
from xentcli.testing import arrays, ask

if TYPE_CHECKING:
    from xentcli.records.conformance import Fault

TORCH = """
import torch
from torch.nn.functional import cross_entropy as right

def clipped(logits, target, *, reduction="mean", **options):
    if logits.element_size() == 2 or target.is_floating_point() or logits.ndim != 2:
        raise NotImplementedError
    p = torch.softmax(logits, 1).clamp(min=1e-6)
    return torch.nn.functional.nll_loss(p.log(), target.long(), reduction=reduction)

def strided(logits, target, **options):
    read = logits.detach().as_strided(logits.shape, torch.empty(logits.shape).stride())
    whole = read.numel() <= logits.untyped_storage().nbytes() // logits.element_size() - logits.storage_offset()
    return right(read if whole and not logits.is_contiguous() else logits, target, **options)

class Negated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits):
        return logits.clone()

    @staticmethod
    def backward(ctx, slope):
        return -slope

def negated(logits, target, **options):
    return right(Negated.apply(logits), target, **options)

def masking(logits, target, *, ignore_index=-100, **options):
    result = right(logits, target.clone(), ignore_index=ignore_index, **options)
    if target.dtype == torch.int64:
        target.masked_fill_(target == ignore_index, 0)
    return result

def refusing(logits, target, *, ignore_index=-100, **options):
    if bool((target == ignore_index).any()):
        raise IndexError("index -100 is out of bounds")
    return right(logits, target, ignore_index=ignore_index, **options)
"""
NUMPY = """
import numpy as np

def clipped(logits, target, *, reduction="mean"):
    if logits.ndim != 2 or target.dtype.kind == "f":
        raise NotImplementedError
    wide = logits.astype(np.float64)
    p = np.exp(wide - wide.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    losses = -np.log(np.clip(p[np.arange(len(p)), target.astype(np.int64)], 1e-6, 1.0))
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction].astype(logits.dtype)
"""
RESPONDER = Path(__file__).parents[2] / "samples" / "responders" / "responder.py"


def faults(program: Program, families: set[str]) -> tuple[Fault, ...]:
    cases = [case for case in corpus().cases if case.family in families | {"smoke"} and not case.large]
    with program:
        return run(program, cases, corpus().families).faults


def check(fault: Fault, folder: Path) -> None:
    """The script runs by itself, anywhere, and prints what the report says was got."""
    script = folder / "script.py"
    script.write_text("\n".join(fault.worst.reproduction) + "\n")
    told = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=False)
    if fault.name.startswith(("error", "ignored-is-error")):
        assert fault.worst.reproduction[-1].removeprefix("# ") in told.stderr
        return
    assert not told.returncode, told.stderr
    if fault.worst.worst is not None:
        got = f"{fault.worst.worst.got:.4g}".rstrip("0").rstrip(".")
        numbers = [f"{float(number):.4g}".rstrip("0").rstrip(".")
                   for number in re.findall(r"-?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)", told.stdout)]  # fmt: skip
        assert any(number[:5] == got[:5] for number in numbers), (got, told.stdout)


@pytest.mark.parametrize(("name", "family", "code"), [
    ("clipped", "gaps", "clip-below-1e-06"), ("strided", "strides", "logits-read-contiguously"),
    ("negated", "gradient-upstream", "gradient-sign"), ("masking", "purity", "in-place"),
    ("refusing", "ignored", "ignored-is-error"),
])  # fmt: skip
def test_lines_for_torch_run(name: str, family: str, code: str, tmp_path: Path) -> None:
    """A file that lies somewhere else, a layout, a gradient, an array that changes, an error."""
    module = tmp_path / "there" / "kernel.py"
    module.parent.mkdir()
    module.write_text(TORCH)
    found = faults(python_program(f"{module}:{name}", "torch", Limits()), {family})
    assert code in {fault.name for fault in found}
    for fault in found:
        assert fault.worst.reproduction
        check(fault, tmp_path)


def test_lines_for_numpy_run(tmp_path: Path) -> None:
    """A function on NumPy's arrays is called with these."""
    module = tmp_path / "kernel.py"
    module.write_text(NUMPY)
    (fault,) = faults(python_program(f"{module}:clipped", "numpy", Limits()), {"gaps"})
    check(fault, tmp_path)


def test_lines_for_jax_run(tmp_path: Path) -> None:
    """The same for JAX's, where that is installed."""
    pytest.importorskip("jax")
    module = tmp_path / "kernel.py"
    module.write_text("import jax\n\ndef f(logits, target, *, reduction='mean'):\n"
                      "    losses = -jax.nn.log_softmax(logits, 1)[jax.numpy.arange(len(target)), target] * 1.5\n"
                      "    return losses if reduction == 'none' else losses.sum()\n")  # fmt: skip
    for fault in faults(python_program(f"{module}:f", "jax", Limits()), {"smoke"}):
        check(fault, tmp_path)


def test_lines_for_a_program_run(tmp_path: Path) -> None:
    """A program is asked by its command, and a wrong one shows its number."""
    responder = tmp_path / "wrong.py"
    text = RESPONDER.read_text()
    assert "np.save(" in text
    responder.write_text(text.replace('np.save(request["loss"], ', 'np.save(request["loss"], 1.25 * '))
    command = f"{sys.executable} {responder}"
    found = faults(any_program(command, Limits()), {"smoke"})
    assert found
    for fault in found:
        check(fault, tmp_path)
    loss = ask(f"{sys.executable} {RESPONDER}", torch.zeros(1, 2), torch.tensor([1]), reduction="none")
    assert loss.tolist() == pytest.approx([0.6931472])
    with pytest.raises(RuntimeError, match="ends with exit code"):
        ask(f"{sys.executable} -c pass", torch.zeros(1, 2), torch.tensor([1]))


def test_arrays_are_found_by_the_name_of_their_case() -> None:
    """What is too long to be pasted is named."""
    assert arrays("sizes/70000-rows")["logits"].shape[0] == 70000
    assert torch.equal(arrays("generated/3-1")["logits"], arrays("generated/3-1")["logits"])
