"""`xent conform --loss` as a user and a script meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from xentcli.cli.conform import conform
from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.finding import located
from xentcli.conform.kinds.asking import InProcess, any_program
from xentcli.conform.kinds.call import Call
from xentcli.conform.kinds.doubles.linear import TORCHS
from xentcli.conform.kinds.judging import judge
from xentcli.conform.kinds.registry import KINDS
from xentcli.conform.kinds.run import run
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

PLAIN = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def xent(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xentcli", "conform", *arguments]
    return subprocess.run(command, cwd=folder, env=PLAIN, capture_output=True, text=True, timeout=300, check=False)


def here(*arguments: str) -> Result:
    """The same in this process, which has imported torch already."""
    return CliRunner().invoke(conform, arguments)


@pytest.mark.skipif(not TORCHS, reason="this torch has no fused loss")
def test_torchs_own_fused_loss_conforms() -> None:
    """The reference of whoever writes such a kernel must pass, or the battery is wrong."""
    result = xent("--loss", "linear", "torch.nn.functional:linear_cross_entropy")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].endswith("conforms in all 9 families")


@pytest.mark.parametrize(
    ("loss", "path"),
    [
        ("nll", "torch.nn.functional:nll_loss"),
        ("binary", "torch.nn.functional:binary_cross_entropy_with_logits"),
        ("nll", "torch.nn:NLLLoss"),
        ("binary", "torch.nn:BCEWithLogitsLoss"),
    ],
)
def test_other_functions_and_classes_of_torch_conform(loss: str, path: str) -> None:
    """A function and a class are found and called by the names of torch's options."""
    kind = KINDS[loss]
    result = run(InProcess(path, located(path, kind.function)), kind, kind.cases())
    assert result.verdict == "conforms", result.summary


BIASLESS = """
import torch
def linear(hidden, weight, target, bias=None, reduction="mean", ignore_index=-100):
    logits = hidden @ weight.T
    if bias is not None and len(target) < 100:
        logits = logits + bias
    return torch.nn.functional.cross_entropy(logits, target, reduction=reduction, ignore_index=ignore_index)
"""


def test_a_fault_is_told_with_lines_that_show_it(tmp_path: Path) -> None:
    """Who pastes them after the export that they name sees the wrong number."""
    (tmp_path / "mine.py").write_text(BIASLESS)
    result = xent("--loss", "linear", "mine.py", "--only", "chunks", "-f", "json", folder=tmp_path)
    assert result.returncode == 1, result.stderr
    case = next(each for each in json.loads(result.stdout)["implementations"][0]["cases"] if each["reproduction"])
    assert case["worst"]["what"] == "loss"
    assert case["reproduction"][0] == "# xent conform --loss linear --export cases"
    assert here("--loss", "linear", "--only", "chunks", "--export", str(tmp_path / "cases")).exit_code == 0
    lines = "\n".join(case["reproduction"])
    shown = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"{case['worst']['got']:.3f}"[:5] in shown.stdout


def test_the_export_is_the_corpus(tmp_path: Path) -> None:
    """Somebody without xent reads what is asked, what is certified and what is allowed."""
    result = here("--loss", "vocabulary-shards", "--export", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "corpus.json").read_text())
    cases = KINDS["vocabulary-shards"].cases()
    assert [each["name"] for each in content["cases"]] == [case.name for case in cases]
    first = content["cases"][0]
    logits = [np.load(tmp_path / "out" / first["arrays"][f"shards{number}"]) for number in range(2)]
    target = torch.from_numpy(np.load(tmp_path / "out" / first["arrays"]["target"]))
    truth = torch.nn.functional.cross_entropy(torch.from_numpy(np.concatenate(logits, 1)).double(), target)
    certified = {part: np.load(tmp_path / "out" / file) for part, file in first["results"]["loss"].items()}
    assert abs(float(certified["value"]) - float(truth)) < 1e-12
    assert 0 < certified["radius"] < certified["allowed-1"] <= certified["allowed-2"] <= certified["allowed-3"]


def test_list_names_the_signature_and_every_case() -> None:
    """Who writes an adapter must know what it is given."""
    said = here("--list", "--loss", "shift", "--only", "items").output
    assert KINDS["shift"].signature in said
    names = [line.split()[0] for line in said.splitlines() if line.startswith("  ") and "/" in line]
    assert [name for name in names if "/" in name and "[" not in name] == [
        case.name for case in KINDS["shift"].cases() if case.family in {"smoke", "items"}
    ]


@pytest.mark.parametrize("option", [["--large"], ["--examples", "3"], ["--arrays", "numpy"], ["--xfail", "x"]])
def test_what_only_the_plain_loss_has_is_refused(option: list[str]) -> None:
    """An option that does nothing would be taken for one that was followed."""
    error = here("--loss", "kl", "m:f", *option).exception
    assert isinstance(error, UsageError)
    assert f"{option[0]} is for the plain loss" in str(error)


def test_tab_offers_no_family_of_another_loss() -> None:
    """A family that is offered must be one that can be asked for."""
    only = next(each for each in conform.params if each.name == "only")
    offered = {
        words: only.shell_complete(conform.make_context("conform", words.split(), resilient_parsing=True), "off")
        for words in ("m:f", "--loss kl m:f")
    }
    assert [each.value for each in offered["m:f"]] == ["offsets"]
    assert offered["--loss kl m:f"] == []


def test_a_name_that_there_is_not_is_refused_with_the_nearest() -> None:
    """A misspelt family would judge nothing and look right."""
    error = here("--loss", "kl", "--list", "--only", "plan").exception
    assert isinstance(error, UsageError)
    assert "did you mean plain?" in str(error)


def ask(name: str, function: Callable[..., object], case: str) -> str:
    kind = KINDS[name]
    call = next(each for each in kind.cases() if each.name == case)
    result = judge(kind, call, InProcess("mine", function).ask(kind, call))
    return f"{result.outcome}: {result.reason}" if result.reason else result.outcome


def test_what_is_not_offered_is_unsupported_and_not_wrong() -> None:
    """A kernel without an option says so by its signature."""

    def smoothless(hidden: torch.Tensor, weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(hidden @ weight.T, target)

    assert ask("linear", smoothless, "plain/bias") == "unsupported: it has no option bias or linear_bias"
    assert ask("linear", smoothless, "smoke/mean") == "passes"


def test_the_form_of_an_answer_is_looked_at_first() -> None:
    """A shape or a format that is wrong is told as such, not as a wrong number."""
    kind = KINDS["nll"]
    call = kind.cases()[1]
    right = torch.nn.functional.nll_loss(call.arrays["given"], call.arrays["target"], reduction="none")

    def outcome(loss: object) -> str:
        return ask("nll", lambda *_a, **_k: loss, call.name)

    assert outcome(right) == "passes"
    assert outcome(right[None]) == "fails: the loss has shape (1, 8), not (8,)"
    assert outcome(right.half()) == "fails: the loss is float16, of inputs that are float32"
    assert outcome(3.0) == "fails: TypeError: it returns float, not a tensor"
    assert outcome((right, right)) == "passes"


def test_an_input_that_is_written_to_is_a_fault() -> None:
    """Logits that are changed in place are wrong in whatever is computed after the loss."""

    def spoils(logits: torch.Tensor, target: torch.Tensor, **options: object) -> torch.Tensor:
        loss = torch.nn.functional.nll_loss(logits, target)
        logits.detach().mul_(2.0)
        return loss

    assert ask("nll", spoils, "smoke/mean") == "fails: it writes to its inputs: given"


def test_a_wrong_wiring_is_found_by_the_first_case() -> None:
    """Nothing else is asked of a function whose arguments are in another order."""
    kind = KINDS["kl"]
    result = run(InProcess("mine", lambda logits, other, reduction: (logits - other).sum()), kind, kind.cases())
    assert result.miswired
    assert len(result.cases) == 1


def test_the_option_may_have_another_name_and_another_sense() -> None:
    """A temperature is one over the scale; an option of a kernel need not be called as in the case."""

    def tempered(logits: torch.Tensor, target: torch.Tensor, temperature: float) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits / temperature, target)

    assert ask("scale", tempered, "plain/another") == "passes"


def test_the_part_beside_the_loss_is_judged_where_it_is_returned() -> None:
    """A tuple of a loss and its z-loss is two values, each of which may be wrong."""

    def both(logits: torch.Tensor, target: torch.Tensor, lse_square_scale: float) -> tuple[torch.Tensor, torch.Tensor]:
        part = lse_square_scale * (logits.logsumexp(1) ** 2).mean()
        return torch.nn.functional.cross_entropy(logits, target) + part, part * 2

    assert ask("z-loss", both, "smoke/mean") == "fails: the z is not the certified one"


ECHO = """
import json, sys, numpy
for line in sys.stdin:
    request = json.loads(line)
    arrays = {name: numpy.load(path) for name, path in request["arrays"].items()}
    if request["gradients"] or request["dtype"] == "bfloat16" or request["options"]["reduction"] == "mean":
        print(json.dumps({"id": request["id"], "unsupported": "no"}), flush=True)
        continue
    loss = -arrays["given"][numpy.arange(len(arrays["target"])), numpy.maximum(arrays["target"], 0)]
    loss = numpy.where(arrays["target"] == request["options"]["ignore_index"], 0, loss)
    weight = arrays.get("class_weight")
    loss = loss * (1 if weight is None else weight[arrays["target"]])
    loss = loss.sum() if request["options"]["reduction"] == "sum" else loss
    numpy.save(request["results"]["loss"], loss.astype(arrays["given"].dtype))
    print(json.dumps({"id": request["id"], "results": {"loss": request["results"]["loss"]}}), flush=True)
"""


def test_a_program_behind_a_pipe_is_asked_by_names(tmp_path: Path) -> None:
    """Any language takes part: arrays as files, options and gradients by name."""
    (tmp_path / "echo.py").write_text(ECHO)
    result = here("--loss", "nll", "--exec", f"{sys.executable} {tmp_path / 'echo.py'}", "-f", "json")
    assert result.exception is None, result.output
    outcomes = {each["name"]: each["outcome"] for each in json.loads(result.output)["implementations"][0]["cases"]}
    assert outcomes["plain/none"] == outcomes["edges/none"] == outcomes["weights/none"] == "passes"
    assert outcomes["half/float16"] == "passes"
    assert "fails" not in outcomes.values()


CRASHES = """
import json, os, sys, numpy
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    os.mkdir(request["results"]["loss"] + ".d")
    if number:
        os._exit(7)
    print(json.dumps({"id": request["id"], "unsupported": "no"}), flush=True)
"""


def test_a_crash_after_other_cases_is_not_taken_for_one_of_its_own(tmp_path: Path) -> None:
    """The case that is blamed must be the one that shows the fault when it is asked alone."""
    (tmp_path / "crashes.py").write_text(CRASHES)
    kind = KINDS["nll"]
    with any_program(f"{sys.executable} {tmp_path / 'crashes.py'}", Limits()) as program:
        result = run(program, kind, kind.cases()[:3])
    assert [each.outcome for each in result.cases] == ["unsupported", "fails", "fails"]
    assert result.cases[1].reason == "after other cases, though not alone, it ends with exit code 7"


def test_a_program_that_is_not_there_is_a_usage_error() -> None:
    """A misspelt module must not look like an implementation that fails."""
    error = here("--loss", "nll", "no_such_module:f").exception
    assert isinstance(error, UsageError)
    assert "no_such_module cannot be imported" in str(error)


def test_a_call_knows_its_format() -> None:
    """The allowance is that of the floating-point array, whatever the labels are."""
    call = Call(name="a/b", about="", arrays={"target": torch.tensor([1]), "x": torch.ones(1, dtype=torch.float16)})
    assert call.dtype == "float16"


def narrow(wrong: bool) -> Callable[..., torch.Tensor]:
    """A kernel with gradients in 16 bits alone, as those in Triton have; or one that forgets what comes from above."""

    def loss(hidden: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, *, reduction: str = "mean",
             ignore_index: int = -100) -> torch.Tensor:  # fmt: skip
        if hidden.requires_grad and hidden.dtype not in {torch.bfloat16, torch.float16}:
            raise AssertionError("gradients want 16 bits")
        logits = hidden.float() @ weight.float().T
        losses = torch.nn.functional.cross_entropy(logits, target, reduction=reduction, ignore_index=ignore_index)
        return losses * 1.5 if wrong and hidden.requires_grad and len(target) > 100 else losses

    return loss


def test_a_kernel_whose_gradients_want_16_bits_is_judged_in_these() -> None:
    """It was sent away as miswired, though it computes what its users ask of it."""
    kind = KINDS["linear"]
    cases = [case for case in kind.cases() if case.family in {"smoke", "plain", "chunks", "upstream"}]
    result = run(InProcess("mine", narrow(wrong=False)), kind, cases)
    outcomes = {case.name: f"{case.outcome}: {case.reason}" for case in result.cases}
    assert not result.miswired
    assert outcomes["smoke/gradients"] == outcomes["upstream/number"] == outcomes["chunks/none"] == "passes: "
    assert outcomes["plain/float64"] == "unsupported: no gradient in float64: AssertionError: gradients want 16 bits"
    faulty = run(InProcess("mine", narrow(wrong=True)), kind, cases)
    (told,) = [case for case in faulty.cases if case.reproduction and case.family == "chunks"]
    assert told.outcome == "fails"
    read = [line for line in told.reproduction if "numpy.load" in line]
    assert all(line.endswith(").to(torch.bfloat16)") for line in read if "target" not in line)
    assert len(read) == 2  # the head is short enough to be written out
    assert run(InProcess("mine", lambda *_: 1 / 0), kind, cases).miswired
