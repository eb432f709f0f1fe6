"""Programs that crash, hang, leak or talk nonsense: each is the result of its case, and the battery goes on."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import hostile_responder
import pytest
import torch

from xentcli.conform.asking import room
from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.family import Tree
from xentcli.conform.asking.implementation import Answer, any_program, python_program
from xentcli.conform.asking.room import shortage
from xentcli.conform.battery import Run, run
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.run import conform
from xentcli.errors import Exit, UsageError

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.records.conformance import ImplementationResult

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "samples" / "responders"
TRIGGER = "reductions/float32-mean"  # the case that a hostile program answers in its own way
CASES = corpus().chosen(["reductions", "ties"], [], large=False)
LIMITS = Limits(case_seconds=3.0, memory_bytes=2 << 30)

MODES = {
    "crash": "signal SIGSEGV",
    "exit": "exit code 7",
    "hang": "hangs: no answer within 3 s",
    "leak": "takes more than 0.5 GiB of memory",
    "garbage": "which is no JSON",
    "list": "which is no JSON object",
    "wrong-id": "the answer has the id -1",
    "no-loss": "the answer has no loss",
    "no-file": "is no .npy file: FileNotFoundError",
    "fifo": "is no regular file",
    "folder": "is no regular file",
    "link-to-itself": "is no .npy file",
    "device": "is outside of the folder of this call",
    "outside": "is outside of the folder of this call",
    "npz": "is no .npy file: it starts with b'PK",
    "pickle": "is no .npy file: these are not plain numbers",
    "header": "is no .npy file: the header cannot be understood",
    "huge-header": "is no .npy file: the header cannot be understood",
    "cut-off": "is no .npy file: buffer is smaller than requested size",
    "sparse": "where no answer has",
    "deep": "which is no JSON",
    "flood": "which is no JSON",
    "grandchild": "takes more than 0.5 GiB of memory",
    "complaint": "RuntimeError: not today",
    "wrong-shape": "the loss has shape (2, 2), not ()",
    "wrong-dtype": "the loss is int64, of logits that are float32",
}


def judged(command: str, limits: Limits = LIMITS) -> ImplementationResult:
    with any_program(command, limits) as program:
        return run(program, CASES, corpus().families)


def trigger() -> str:
    """What tells the question apart for the program."""
    (case,) = (case for case in CASES if case.name == TRIGGER)
    inputs = case.load()
    request = {"dtype": inputs.dtype, **case.keywords(), "want": ["loss"]}
    return hostile_responder.fingerprint(request, inputs.logits.numpy(), inputs.target.numpy())


@pytest.mark.parametrize("mode", MODES)
def test_what_a_program_does_is_the_result_of_its_case(mode: str) -> None:
    """One bad case must neither end the battery nor be blamed on another case."""
    limits = replace(LIMITS, memory_bytes=1 << 29) if mode in {"leak", "grandchild"} else LIMITS
    result = judged(f"{sys.executable} {HERE / 'hostile_responder.py'} {mode} {trigger()}", limits)
    assert len(result.cases) == len(CASES)
    failed = {case.name: case.reason for case in result.cases if case.outcome == "fails"}
    assert list(failed) == [TRIGGER]
    assert MODES[mode] in failed[TRIGGER]


def test_what_is_asked_has_no_name_and_no_number(tmp_path: Path) -> None:
    """A program that looks its answers up must not conform."""
    log = tmp_path / "log"
    source = f"import sys\nfor line in sys.stdin:\n    open({str(log)!r}, 'a').write(line); print(line, flush=True)\n"
    (tmp_path / "echo.py").write_text(source)
    for _ in range(2):
        judged(f"{sys.executable} {tmp_path / 'echo.py'}")
    first, second = map(json.loads, log.read_text().splitlines())
    assert not {"case", "name", "family"} & first.keys()
    assert first["id"] != second["id"]
    assert not [value for value in first.values() if isinstance(value, str) and "smoke" in value]


def test_all_that_a_program_started_ends_with_it(tmp_path: Path) -> None:
    """A worker that left the session would hold its memory, and a GPU, after the verdict."""
    child = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    starter = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)"
    )
    program = subprocess.Popen([sys.executable, "-c", f"{starter}; time.sleep(600)"], cwd=tmp_path)
    tree = Tree(program.pid)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    grandchild = int((tmp_path / "pid").read_text())
    assert tree.members() == {program.pid, grandchild}
    assert tree.held_bytes() > 1 << 20
    program.kill()
    program.wait()
    assert grandchild in tree.members()  # its parent is another one now
    tree.kill()
    while grandchild in tree.members():
        time.sleep(0.01)


def test_an_implementation_that_offers_nothing_is_not_judged(tmp_path: Path) -> None:
    """A green exit code over NotImplementedError, in a CI file that nobody looks at."""
    (tmp_path / "nothing.py").write_text(
        "import torch\n"
        "def cross_entropy(logits, target, *, reduction='mean'):\n"
        "    if tuple(logits.shape) not in {(1, 2), (1, 3)} or logits.requires_grad:\n"
        "        raise NotImplementedError('later')\n"
        "    return torch.nn.functional.cross_entropy(logits, target, reduction=reduction)\n"
    )
    shapes = {tuple(case.load().logits.shape) for case in corpus().cases if case.family == "smoke"}
    assert shapes == {(1, 2), (1, 3)}
    with python_program(f"{tmp_path / 'nothing.py'}", "torch", LIMITS) as program:
        cases = corpus().chosen(["smoke", "reductions"], [], large=False)
        report = conform([program], corpus(), cases)
    assert report.verdict == "conforms in part"
    assert report.exit_code() == Exit.NOTHING_CHECKED
    assert f"2 of {len(cases)} cases judged" in report.summary


MODULE = """
import os, ctypes
from torch.nn.functional import cross_entropy as right
seen = []
def cross_entropy(logits, target, *, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    seen.append(tuple(logits.shape))
    if len(seen) > 1 and seen[-2:] == [(4, 3, 2), (4,)]:
        os._exit(3)
    return right(logits, target, weight, None, ignore_index, None, reduction, label_smoothing)
def segfault(logits, target, *, reduction="mean"):
    if logits.ndim == 3 and reduction == "sum":
        ctypes.string_at(0)
    return right(logits, target, reduction=reduction)
def prints(logits, target, *, reduction="mean"):
    os.write(1, b"{not json}\\n")
    print("kernels like to talk")
    return right(logits, target, reduction=reduction)
def none(logits, target, *, reduction="mean"):
    return None
def shy(logits, target, *, reduction="mean", weight=None):
    if reduction == "mean":
        raise NotImplementedError("no mean here")
    return right(logits, target, weight=weight, reduction=reduction)
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "somebody.py"
    path.write_text(MODULE)
    return path


def in_child(path: Path, name: str) -> ImplementationResult:
    with python_program(f"{path}:{name}", "torch", LIMITS) as program:
        return run(program, CASES, corpus().families)


@pytest.mark.slow
def test_a_death_after_another_case_names_that_case(module: Path) -> None:
    """A heap that one case corrupts kills a later one; whoever debugs the later one finds nothing."""
    result = in_child(module, "cross_entropy")
    failed = {case.name: case.reason for case in result.cases if case.outcome == "fails"}
    assert failed == {
        "reductions/one-sample-none": "after reductions/float32-mean, though not alone, it ends with exit code 3"
    }


@pytest.mark.slow
def test_a_segmentation_fault_in_python_is_a_result(module: Path) -> None:
    """xent itself must survive it."""
    result = in_child(module, "segfault")
    assert {case.name for case in result.cases if "SIGSEGV" in case.reason} == {
        "reductions/float64-sum", "reductions/float32-sum",
    }  # fmt: skip


def test_what_has_no_room_is_skipped_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop's memory is no fault of an implementation; and a limit that is too low is told before it is hit."""
    (case,) = (case for case in corpus().cases if case.name == "sizes/2147549184-elements")
    inputs = case.load()
    assert shortage(case, inputs, 4 << 30, tmp_path) == "it needs 13 GiB of memory, --memory-limit is 4"
    monkeypatch.setattr(room, "_free_memory", lambda: float(2 << 30))
    assert shortage(case, inputs, 16 << 30, tmp_path) == "it needs 13 GiB of memory, the machine has free 2"
    monkeypatch.setattr(room, "_free_memory", lambda: math.inf)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    assert shortage(case, inputs, 16 << 30, tmp_path).startswith("it needs 4 GiB in ")
    with python_program("torch.nn.functional", "torch", Limits()) as program:
        answer = program.ask(case, inputs)
    assert (answer.kind, answer.said) == ("unsupported", "not asked: it needs 13 GiB of memory, --memory-limit is 4")


class Hanging:
    """Answers the first question, and no other."""

    name = "hanging"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        self.asked.append(case.name)
        return Answer("value", loss=torch.log(torch.tensor(2.0))) if case is CASES[0] else Answer("fatal", "hangs")

    def restart(self) -> None:
        self.asked.append("restart")


def test_a_hang_of_a_fresh_process_is_waited_for_once() -> None:
    """Twenty seconds a case are long; twice as many, and the patience for a start, are nobody's."""
    implementation = Hanging()
    task = Run(implementation, [], CASES[0])
    for case in CASES[:4]:
        task.result(case)
    smoke, second, third, fourth = (case.name for case in CASES[:4])
    assert implementation.asked[:2] == ["restart", smoke]
    assert implementation.asked[2:] == [
        second, "restart", smoke, second,
        "restart", smoke, third,
        "restart", smoke, fourth,
    ]  # fmt: skip


def test_a_misspelt_name_is_told_before_another_is_judged() -> None:
    """A minute of battery, and then a usage error, is a minute lost."""
    told: list[str] = []
    programs = [python_program(path, "torch", LIMITS) for path in ("torch.nn.functional", "math:nosuch")]
    with pytest.raises(UsageError, match="math has no nosuch"):
        conform(programs, corpus(), CASES, progress=told.append)
    assert not told


def test_what_a_callable_prints_is_not_an_answer(module: Path) -> None:
    """Compilers of kernels print."""
    assert in_child(module, "prints").verdict == "conforms"


def test_not_implemented_is_unsupported_and_never_passed(module: Path) -> None:
    """An option that is not there must not count for somebody."""
    result = in_child(module, "shy")
    skipped = {case.name: case.reason for case in result.cases if case.outcome == "unsupported"}
    assert skipped == {case.name: "no mean here" for case in CASES if case.reduction == "mean"}
    assert result.verdict == "conforms in part"
    assert f"{len(CASES) - len(skipped)} of {len(CASES)} cases judged, all right" in result.summary


def test_smoke_cases_that_fail_stop_the_battery(module: Path) -> None:
    """Two hundred failures that say nothing but that the wiring is wrong."""
    result = in_child(module, "none")
    assert result.miswired
    assert len(result.cases) == 1  # the second would be waited for in vain where the first one hangs
    assert "the wiring is wrong" in result.summary


@pytest.mark.parametrize(("path", "words"), [
    ("nosuchmodule:f", "cannot be imported"), ("math:nosuch", "math has no nosuch"), ("math:pi", "cannot be called"),
])  # fmt: skip
def test_what_cannot_be_found_is_a_usage_error(path: str, words: str) -> None:
    """A typing error must not look like a verdict."""
    with pytest.raises(UsageError, match=words), python_program(path, "torch", LIMITS) as program:
        run(program, CASES, corpus().families)


def test_a_command_that_is_not_there_is_a_usage_error() -> None:
    """The same for programs."""
    with pytest.raises(UsageError, match="cannot be run"):
        judged("/nowhere/responder")


@pytest.mark.parametrize("path", ["torch.nn:CrossEntropyLoss", "torch.nn.functional"])
def test_classes_and_modules_work_too(path: str) -> None:
    """An nn.Module takes its options when it is made."""
    with python_program(path, "torch", Limits()) as program:
        result = run(program, corpus().chosen(["weights", "smoothing"], [], large=False), corpus().families)
    assert result.verdict == "conforms"


def compiler() -> str:
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang", "tcc"))), None)
    if found is None:
        pytest.fail("the C responder cannot be compiled here: install a C compiler (cc, gcc, clang or tcc)")
    return found


def test_the_responder_in_c_conforms(tmp_path: Path) -> None:
    """Whoever starts from the sample must start from a right one; it answers everything, gradients too."""
    program = tmp_path / "responder"
    source = SAMPLES / "responder.c"
    subprocess.run([compiler(), "-O2", "-Wall", "-Werror", "-o", program, source, "-lm"], check=True)
    with any_program(str(program), Limits()) as channel:
        result = run(channel, corpus().chosen((), (), large=False), corpus().families)
        channel.finish()
    judged = [case for case in result.cases if not case.name.startswith("gradient-variables/")]
    assert {case.outcome for case in judged} == {"passes"}, [case for case in judged if case.outcome != "passes"]
    assert {case.reason for case in result.cases if case not in judged} == {
        "no gradient with respect to the target", "no gradient with respect to the weight"
    }  # fmt: skip
    assert channel.ending == ""


def test_the_responder_in_python_conforms() -> None:
    """The same of the one in Python, which has no bfloat16 and no gradients."""
    with any_program(f"{sys.executable} {SAMPLES / 'responder.py'}", Limits()) as program:
        result = run(program, corpus().chosen((), (), large=False), corpus().families)
    assert not [case.name for case in result.cases if case.outcome not in {"passes", "unsupported"}]
    reasons = {case.reason for case in result.cases if case.outcome == "unsupported"}
    assert reasons == {"NumPy has no bfloat16", "no gradients here"}


def test_modules_of_the_current_folder_do_not_take_the_place_of_ours(tmp_path, monkeypatch):
    """Who judges a downloaded kernel in its folder must not run its json.py before anything was asked."""
    for name in ("json", "torch", "numpy", "warnings", "xentcli"):
        (tmp_path / f"{name}.py").write_text("open('deed', 'w').close()\n")
    (tmp_path / "helper.py").write_text("from torch.nn.functional import cross_entropy\n")
    (tmp_path / "kernel.py").write_text("from helper import cross_entropy\n")
    monkeypatch.chdir(tmp_path)
    case = corpus().cases[0]
    for path in ("kernel.py", "kernel"):
        with python_program(path, "torch", LIMITS) as program:
            assert program.ask(case, case.load()).kind == "value"
    assert not (tmp_path / "deed").exists()
