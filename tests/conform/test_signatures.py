"""Whatever signature a loss has: what it lacks is neither wrong nor right, and what it declares counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from xentcli.cli import conform as command
from xentcli.cli import telling
from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.commands import named
from xentcli.conform.asking.declaration import declaration, words
from xentcli.conform.asking.deriving import Offer, plan
from xentcli.conform.asking.finding import callee
from xentcli.conform.asking.implementation import InProcess, any_program, check_names, python_program
from xentcli.conform.asking.learning import learn
from xentcli.conform.battery import Run, run
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.doubles.all import right_cast, wrong_cast
from xentcli.errors import UsageError
from xentcli.testing import conformance

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.records.conformance import CaseResult, ImplementationResult

SAMPLES = Path(__file__).parents[2] / "samples" / "responders"
LIMITS = Limits(case_seconds=20.0)
CASES = {case.name: case for case in corpus().cases}


def judged(function: Callable[..., Any], *families: str, arrays: str = "torch") -> ImplementationResult:
    """A function in this process, asked as a user's is."""
    implementation = InProcess.of("mine", callee(function), arrays)
    return run(implementation, corpus().chosen(families, (), large=False), corpus().families)


def failed(result: ImplementationResult) -> set[str]:
    return {case.family for case in result.cases if case.outcome not in {"passes", "unsupported"}}


def passed(result: ImplementationResult) -> int:
    return sum(case.outcome == "passes" for case in result.cases)


def of(result: ImplementationResult, name: str) -> CaseResult:
    return next(case for case in result.cases if case.name == name)


def declared(function: Callable[..., Any], **members: Any) -> Callable[..., Any]:
    function.conform = members  # type: ignore[attr-defined]
    return function


def mean_alone(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return -torch.log_softmax(logits, 1).gather(1, target[:, None])[:, 0].mean()


def mean_or_error(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    if reduction != "mean":
        raise TypeError("the mean is all there is")
    return functional.cross_entropy(logits, target)


def mean_whatever_is_asked(logits: torch.Tensor, target: torch.Tensor, reduction: str = "none") -> torch.Tensor:
    return functional.cross_entropy(logits, target)


def sum_alone(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits, target, reduction="sum")


def losses_alone(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits, target, reduction="none")


FAMILIES = ("offsets", "reductions", "gradient-upstream")


@pytest.mark.parametrize(("function", "reduction"), [
    (mean_alone, "mean"), (mean_or_error, "mean"), (mean_whatever_is_asked, "mean"), (sum_alone, "sum"),
    (losses_alone, "none"),
])  # fmt: skip
def test_a_loss_of_one_reduction_is_judged_by_it(function: Callable[..., Any], reduction: str) -> None:
    """The most ordinary function there is was refused as wired wrongly."""
    assert set(learn(InProcess.of("mine", callee(function))).words) == {reduction}
    result = judged(function, *FAMILIES)
    assert not result.miswired
    assert not failed(result)
    assert result.verdict == "conforms in part"
    judged_ones = sum(case.outcome == "passes" for case in result.cases)
    assert result.summary.endswith(f"{judged_ones} of {len(result.cases)} cases judged, all right")
    other = next(case for case in result.cases if case.name == "offsets/float32-1000")
    assert other.outcome == "passes"
    assert any("no reduction 'none'" in note for note in other.notes) == (reduction != "none")


def clipped(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    chances = torch.softmax(logits, 1).clamp(1e-7, 1.0)
    return -chances.gather(1, target[:, None])[:, 0].log().mean()


def half_of_the_rows(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Right for one row, and for the mean of two; wrong from three rows on."""
    losses = functional.cross_entropy(logits, target, reduction="none")
    return losses[:2].mean() if len(losses) > 2 else losses.mean()


@pytest.mark.parametrize(("function", "family"), [(clipped, "gaps"), (half_of_the_rows, "plain")])
def test_a_mean_that_is_wrong_fails_by_its_rows_or_by_itself(function: Callable[..., Any], family: str) -> None:
    """A mean of many rows hides one; single rows hide what is done to many."""
    result = judged(function, family)
    assert failed(result) == {family}
    shown = next(case for case in result.cases if case.reproduction)
    assert "reduction" not in "".join(shown.reproduction)  # the function has no such option


def test_what_a_mean_cannot_decide_is_not_judged() -> None:
    """A sum that nobody asked for, and rows beside a row of NaN, would otherwise count as right."""
    result = judged(mean_alone, "reductions", "batch")
    assert of(result, "batch/strange-neighbours").reason == "a mean cannot tell rows apart"
    sums = [case for case in result.cases if case.family == "reductions" and case.name.endswith("-sum")]
    assert {case.reason for case in sums} == {"no reduction 'sum'"}


def test_single_rows_are_those_that_count() -> None:
    """The mean of an ignored row alone is NaN, which decides nothing."""
    case = CASES["ignored/-100-none"]
    inputs = case.load()
    calls = plan(case, inputs, Offer(words={"mean": "mean"})).calls
    counted = int((inputs.target != -100).sum())
    assert [len(call.load().logits) for call in calls] == [len(inputs.logits), *[1] * counted]
    assert all(bool((call.load().target != -100).all()) for call in calls[1:])


def test_a_fault_is_not_taken_for_a_signature() -> None:
    """A loss that says `none` and gives the sum is wrong, and no double of the self-check may look sparse."""
    for double in (*wrong_cast(), *right_cast()):
        if double.arrays == "torch":
            assert set(learn(InProcess.of(double.name, callee(double.function))).words) == {"none", "mean", "sum"}


@pytest.mark.parametrize(("function", "name", "words"), [
    (mean_alone, "shapes/5-none", "no logits without a batch axis"),
    (mean_alone, "probabilities/float32", "no target probabilities"),
    (mean_alone, "ignored/-100-none", "not offered: ignore_index"),
    (mean_alone, "weights/float32-none", "it has no option weight"),
])  # fmt: skip
def test_what_raises_even_for_the_simplest_question_is_not_offered(
    function: Callable[..., Any], name: str, words: str
) -> None:
    """An index error of three axes is no wrong value."""
    implementation = InProcess.of("mine", callee(function))
    result = Run(implementation, [], offer=learn(implementation)).result(CASES[name])
    assert (result.outcome, result.reason[: len(words)]) == ("unsupported", words)


def fails_at_seven(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    if logits.ndim == 3 and logits.shape[1] > 3:
        raise RuntimeError("too many classes for a block")
    return functional.cross_entropy(logits, target, reduction=reduction)


def test_an_error_where_the_feature_is_there_is_a_fault() -> None:
    """Who has inner axes, and not for four classes, is wrong."""
    assert "shapes" in failed(judged(fails_at_seven, "shapes"))


def test_what_is_wired_wrongly_says_what_came_and_what_was_expected() -> None:
    """Swapped arguments must not look like two hundred faults."""
    result = judged(lambda logits, target, reduction="mean": logits.sum(), "plain")
    assert result.miswired
    assert "the wiring is wrong" in result.summary
    assert "expected 0.693147" in result.summary
    assert "got 0.0" in result.summary


def last_axis(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> tuple[torch.Tensor, str]:
    return functional.cross_entropy(logits.movedim(-1, min(1, logits.ndim - 1)), target, reduction=reduction), "more"


def with_one_hot(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    assert target.is_floating_point()
    return functional.cross_entropy(logits, target, reduction=reduction)


def in_place(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    loss = functional.cross_entropy(logits, target, reduction=reduction)
    with torch.no_grad():
        logits.zero_()
    return loss


def in_place_of_both(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    loss = functional.cross_entropy(logits, target, reduction=reduction)
    target.zero_()
    return loss


def padding_is_minus_one(logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return functional.cross_entropy(logits, target, ignore_index=-1, reduction=reduction)


@pytest.mark.parametrize(("function", "members", "families"), [
    (last_axis, {"axis": "last", "returns": 0, "targets": ["labels"]}, ("shapes", "gradient")),
    (with_one_hot, {"targets": "one-hot"}, ("plain", "shapes", "gradient")),
    (in_place, {"in_place": True}, ("plain", "purity")),
    (padding_is_minus_one, {"ignore_index": -1}, ("ignored", "plain")),
    (mean_alone, {"shapes": "rows", "dtypes": "float32,float64", "options": []}, ("plain", "shapes", "weights")),
])  # fmt: skip
def test_what_is_declared_makes_the_function_right(
    function: Callable[..., Any], members: dict[str, Any], families: tuple[str, ...]
) -> None:
    """Each fails without its declaration, and no adapter is to be written."""
    plain = judged(function, *families)
    declared(function, **members)
    try:
        result = judged(function, *families)
    finally:
        del function.conform  # type: ignore[attr-defined]
    assert not failed(result), result.summary
    assert passed(result) > len(result.cases) // 3
    assert plain.miswired or failed(plain) or passed(plain) < passed(result) or function is mean_alone


def test_in_place_by_design_is_not_for_labels() -> None:
    """A kernel that may spoil the logits may not spoil the labels."""
    assert failed(judged(declared(in_place_of_both, in_place=True), "plain")) == {"smoke"}


HOSTILE = [
    ({"reductons": "mean"}, "there is nothing to declare by the name 'reductons'"),
    ({"reductions": "average"}, "reductions cannot be declared so"),
    ({"reductions": []}, "reductions cannot be declared so"),
    ({"reductions": {"mean": 1}}, "reductions cannot be declared so"),
    ({"dtypes": ["float32", 16]}, "dtypes cannot be declared so"),
    ({"axis": 2}, "axis cannot be declared so"),
    ({"axis": True}, "axis cannot be declared so"),
    ({"ignore_index": 1.5}, "ignore_index cannot be declared so"),
    ({"ignore_index": 1 << 70}, "ignore_index cannot be declared so"),
    ({"returns": -1}, "returns cannot be declared so"),
    ({"returns": 10**9}, "returns cannot be declared so"),
    ({"returns": ["gradient"]}, "returns cannot be declared so"),
    ({"returns": [[]]}, "returns cannot be declared so"),
    ({"in_place": "perhaps"}, "in_place cannot be declared so"),
    ({"backward": ""}, "backward cannot be declared so"),
]


@pytest.mark.parametrize(("members", "words"), HOSTILE)
def test_a_declaration_that_is_not_known_is_refused(members: dict[str, Any], words: str) -> None:
    """A misspelt key declares nothing, and a verdict would rest on it."""
    with pytest.raises(UsageError, match=words) as error:
        declaration(members, "mine")
    assert error.value.details["expected"]


def test_the_words_of_a_command_line_are_the_same_declaration() -> None:
    """What is tried with --declare is written beside the function later."""
    texts = ("reductions=mean,sum", "in-place=yes", "ignore-index=-1", "returns=loss,gradient", "axis=last")
    members = {"reductions": ["mean", "sum"], "in_place": True, "ignore_index": -1, "axis": "last",
               "returns": ("loss", "gradient")}  # fmt: skip
    assert declaration(words(texts), "--declare") == declaration(members, "mine")
    for wrong in (("mean",), ("axis=1", "axis=last")):
        with pytest.raises(UsageError):
            words(wrong)


def test_what_is_no_dictionary_declares_nothing() -> None:
    """`conform` may be the name of anything in a module, but not on the function itself."""
    function = declared(lambda logits, target: logits, x=1)
    function.conform = "mean"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no dictionary"):
        callee(function)


# NumPy, with a gradient by hand


def numpy_loss(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    return -log_chances(logits)[np.arange(len(logits)), target].mean()


def log_chances(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def numpy_backward(logits: np.ndarray, target: np.ndarray, upstream: np.ndarray | None = None) -> np.ndarray:
    slopes = np.exp(log_chances(logits))
    slopes[np.arange(len(logits)), target] -= 1
    return slopes / slopes.dtype.type(len(logits)) * slopes.dtype.type(1 if upstream is None else upstream)


def numpy_pair(logits: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return numpy_loss(logits, target), numpy_backward(logits, target)


def numpy_flipped(logits: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return numpy_loss(logits, target), -numpy_backward(logits, target)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("function", "members", "upstream", "wrong"), [
    (numpy_loss, {"backward": "numpy_backward"}, "passes", set()),
    (numpy_pair, {"returns": ["loss", "gradient"]}, "unsupported", set()),
    (numpy_flipped, {"returns": ["loss", "gradient"]}, "unsupported", {"gradient", "gradient-upstream"}),
    (numpy_loss, {}, "unsupported", set()),
])  # fmt: skip
def test_a_gradient_by_hand_is_judged(
    function: Callable[..., Any], members: dict[str, Any], upstream: str, wrong: set[str]
) -> None:
    """NumPy's gradients could not be judged, and most that are wrong are written by hand."""
    declared(function, shapes="rows", **members)
    result = judged(function, "gradient", "gradient-upstream", arrays="numpy")
    assert failed(result) == wrong
    plain, by = of(result, "gradient/float32-mean"), of(result, "gradient-upstream/mean")
    assert plain.outcome == ("unsupported" if not members else "fails" if wrong else "passes")
    assert by.outcome == upstream


def test_a_second_function_is_named_behind_a_comma(tmp_path: Path) -> None:
    """The same from a command line, in a process."""
    (tmp_path / "mine.py").write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_signatures import numpy_loss as loss, numpy_backward as back\n"
        "conform = {'shapes': 'rows', 'reductions': 'mean', 'targets': 'labels', 'dtypes': 'float32'}\n"
    )
    cases = corpus().chosen(["gradient"], (), large=False)
    with python_program(f"{tmp_path / 'mine.py'}:loss,back", "numpy", LIMITS, {"options": ""}) as program:
        result = run(program, cases, corpus().families)
    assert of(result, "gradient/float32-mean").outcome == "passes"
    assert of(result, "gradient/float64-mean").reason == "not offered: float64"
    assert not failed(result)


# programs

PROGRAM = """
import json, sys
import numpy as np
sys.path.insert(0, {samples!r})
import responder
np.seterr(all="ignore")
for line in sys.stdin:
    question = json.loads(line)
    said = {{"unsupported": "the mean alone"}} if question["reduction"] != "mean" else responder.answer(question)
    print(json.dumps({{"id": question["id"], **said, "conform": {declared}}}), flush=True)
"""


def program(folder: Path, members: Any) -> str:
    path = folder / "program.py"
    path.write_text(PROGRAM.format(samples=str(SAMPLES), declared=repr(members)))
    return f"{sys.executable} {path}"


def test_a_program_declares_itself_in_its_first_answer(tmp_path: Path) -> None:
    """What is not Python has no attributes."""
    members = {"reductions": ["mean"], "dtypes": ["float32"], "gradient": False}
    with any_program(program(tmp_path, members), LIMITS) as channel:
        result = run(channel, corpus().chosen(["plain", "gradient"], (), large=False), corpus().families)
    assert channel.declared.dtypes == ("float32",)
    assert not failed(result)
    assert of(result, "plain/float64-mean").reason == "not offered: float64"
    assert of(result, "gradient/float32-mean").reason == "not offered: a gradient"
    assert of(result, "plain/float32-10-classes-scale-1").outcome == "passes"


def test_a_program_of_the_mean_alone_is_found_out(tmp_path: Path) -> None:
    """Who refuses `none` by the protocol is asked the mean."""
    with any_program(program(tmp_path, {}), LIMITS) as channel:
        result = run(channel, corpus().chosen(["ties"], (), large=False), corpus().families)
    assert of(result, "ties/float32").outcome == "passes"


@pytest.mark.parametrize("members", [["mean"], {"nonsense": 1}, {"returns": 0}, {"reductions": "all"}])
def test_a_hostile_declaration_of_a_program_is_a_usage_error(tmp_path: Path, members: Any) -> None:
    """A program's word is data."""
    case = CASES["smoke/three-classes"]
    with any_program(program(tmp_path, members), LIMITS) as channel, pytest.raises(UsageError):
        channel.ask(case, case.load())


@pytest.mark.parametrize(("text", "expected"), [
    ("mine=./a --fast", ("mine", "./a --fast")), ("OMP_NUM_THREADS=1 ./a", ("", "OMP_NUM_THREADS=1 ./a")),
    ("v2.1-rc=X=1 ./a", ("v2.1-rc", "X=1 ./a")), ("./a --x=1", ("", "./a --x=1")), ("./b=c", ("", "./b=c")),
    ("python a.py", ("", "python a.py")),
])  # fmt: skip
def test_a_name_before_a_command_is_no_variable(text: str, expected: tuple[str, str]) -> None:
    """OMP_NUM_THREADS=1 ./a is a command that people have."""
    assert named(text) == expected


def test_variables_before_a_command_are_set(tmp_path: Path) -> None:
    """Threads are how two runs of one program differ."""
    (tmp_path / "says.py").write_text("import os, sys\nfor line in sys.stdin:\n    sys.exit(os.environ['XENT_TOLD'])\n")
    line = f"mine=XENT_TOLD=two XENT_OTHER=1 {sys.executable} {tmp_path / 'says.py'}"
    case = CASES["smoke/three-classes"]
    with any_program(line, LIMITS) as channel:
        assert channel.ask(case, case.load()).said == "ends with exit code 1: two"
    assert channel.name == "mine"
    with pytest.raises(UsageError, match="the command is empty"):
        any_program("V2=./a", LIMITS)


def test_two_programs_of_one_name_are_refused() -> None:
    """A report with two columns of one heading tells nobody anything."""
    with any_program("a=x", LIMITS) as first, any_program("a=y", LIMITS) as second:
        with pytest.raises(UsageError, match="the same name"):
            check_names([first, second])
        check_names([first])


# devices, compilers, and what is said meanwhile


def test_what_only_tensors_have_is_refused_elsewhere(tmp_path: Path) -> None:
    """A device that was silently not used would be reported as judged."""
    for arguments in (("--device", "cuda", "--exec", "x"), ("--compile", "m:f", "--arrays", "numpy")):
        with pytest.raises(UsageError, match="callables on torch's tensors"):
            command.conform.main(list(arguments), standalone_mode=False)
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="torch finds no cuda device here"):
            command.conform.main(["--device", "cuda", "math:pi"], standalone_mode=False)


SPENT = """
import torch
asked = []
def cross_entropy(logits, target, *, reduction='mean'):
    asked.append(target)
    if bool((target < 0).any()):  # from now on nothing works in this process, as on a device after an assertion
        torch.zeros = broken
        raise RuntimeError('CUDA error: device-side assert triggered')
    if torch.zeros is broken:
        raise RuntimeError('CUDA error: device-side assert triggered')
    return torch.nn.functional.cross_entropy(logits, target, reduction=reduction)
def broken(*arguments, **options):
    raise RuntimeError('CUDA error: device-side assert triggered')
"""


def test_a_device_that_is_spent_spoils_one_case(tmp_path: Path) -> None:
    """A label out of range ends all work on a device in its process: every later case was called a fault."""
    path = tmp_path / "kernel.py"
    path.write_text(SPENT)
    cases = corpus().chosen(["refusals/negative-none", "gradient/float32-mean"], (), large=False)
    with python_program(str(path), "torch", Limits()) as program:
        result = run(program, cases, corpus().families)
    assert {of(result, case.name).outcome for case in cases} == {"passes"}


def test_lines_for_a_device_make_their_arrays_there() -> None:
    """Lines that run on the processor show nothing of a kernel's fault."""
    with python_program("torch.nn.functional:cross_entropy", "torch", Limits(), device="cuda") as program:
        assert program.imports() == [
            "torch.set_default_device('cuda')",
            "from torch.nn.functional import cross_entropy",
        ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_arrays_go_to_a_device_and_come_back(tmp_path: Path) -> None:
    """A kernel that is judged on the CPU in place of the GPU is not judged."""
    path = tmp_path / "kernel.py"
    path.write_text(
        "import torch\ndef cross_entropy(logits, target, *, weight=None, reduction='mean'):\n"
        "    assert logits.is_cuda and target.is_cuda and (weight is None or weight.is_cuda)\n"
        "    return torch.nn.functional.cross_entropy(logits, target, weight, reduction=reduction)\n"
    )
    cases = corpus().chosen(["plain", "strides", "gradient", "gradient-upstream", "weights"], (), large=False)
    with python_program(str(path), "torch", Limits(memory_bytes=16 << 30), device="cuda") as program:
        result = run(program, cases, corpus().families)
    assert not failed(result)
    assert of(result, "gradient/float32-mean").outcome == of(result, "strides/transposed-2d").outcome == "passes"


COMPILED = """
import torch
def right(logits, target, reduction="mean"):
    losses = -torch.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()
def other(logits, target, reduction="mean"):
    return right(logits, target, reduction) * (1.5 if torch.compiler.is_compiling() else 1.0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["right", "other"])
def test_a_function_is_judged_under_its_compiler(tmp_path: Path, name: str) -> None:
    """A compiler's fault is the user's loss."""
    import shutil

    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("torch.compile wants a C++ compiler")
    path = tmp_path / "compiled.py"
    path.write_text(COMPILED)
    cases = [case for case in corpus().cases if case.name in {"smoke/two-equal-logits", "plain/float32-mean"}]
    with python_program(f"{path}:{name}", "torch", Limits(), compiled=True) as program:
        result = run(program, cases, corpus().families)
    assert bool(failed(result)) == (name == "other")


def test_a_log_shows_that_the_battery_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten minutes of silence in a CI log look like a hang."""
    clock = iter([0.0, 1.0, 6.0, 6.0, 7.0, 7.0, 99.0])
    monkeypatch.setattr(telling, "monotonic", lambda: next(clock))
    with telling.Telling() as progress:
        for text in ("ties/float64  1 of 6", "ties/float32  2 of 6", "ties/float16  3 of 6"):
            progress(text)
    assert capsys.readouterr().err == "ties/float32  2 of 6\n"
    with telling.Telling(quiet=1) as progress:
        progress("ties/float64  1 of 6")
    assert not capsys.readouterr().err


def test_a_mean_alone_runs_in_a_test_suite() -> None:
    """conformance() is asked for the same function."""
    cases = {repr(case): case for case in conformance(mean_alone, ["ties", "batch"])}
    cases["ties/float32"]()
    with pytest.raises(Exception, match="a mean cannot tell rows apart"):
        cases["batch/strange-neighbours"]()


@pytest.mark.slow
def test_the_command_line_declares(tmp_path: Path) -> None:
    """From the option to the verdict, as a user types it."""
    (tmp_path / "mine.py").write_text(
        "import torch\ndef loss(logits, target):\n"
        "    return torch.nn.functional.cross_entropy(logits, target), logits.sum()\n"
    )
    line = [sys.executable, "-m", "xentcli", "conform", "mine.py:loss", "--declare", "returns=0", "--only", "ties"]
    result = subprocess.run([*line, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["verdict"] == "conforms"
