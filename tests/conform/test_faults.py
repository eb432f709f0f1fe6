"""One fault is one finding, by its name, and a name is given only where nothing contradicts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional

from xentcli.conform.asking.implementation import Answer, InProcess
from xentcli.conform.battery import run
from xentcli.conform.cases.case import Case, Inputs
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.judging.call import Call
from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.naming import variables
from xentcli.conform.naming.names import NAMES, could_tell, names_of
from xentcli.conform.telling.demands import Demands
from xentcli.records.conformance import Fault, ImplementationResult

Function = Callable[..., torch.Tensor]
FAMILIES = {"smoke", "gaps", "one-hot", "offsets", "ignored", "weights", "smoothing", "gradient", "gradient-upstream",
            "labels", "shapes", "gradient-variables"}  # fmt: skip
CASES = [case for case in corpus().cases if case.family in FAMILIES and not case.large]


def judged(function: Function, families: set[str] = FAMILIES, **demanded: Any) -> ImplementationResult:
    cases = [case for case in CASES if case.family in families | {"smoke"}]
    return run(InProcess("wrong", function), cases, corpus().families, demands=Demands(**demanded))


def names(result: ImplementationResult) -> list[str]:
    return [fault.name for fault in result.faults]


def of_probabilities(change: Callable[[torch.Tensor], torch.Tensor]) -> Function:
    """A loss in plain torch, apart from xent's doubles: -log of changed probabilities."""

    def function(logits: torch.Tensor, target: torch.Tensor, *, weight: Any = None, ignore_index: int = -100,
                 reduction: str = "mean", label_smoothing: float = 0.0) -> torch.Tensor:  # fmt: skip
        logs = change(torch.softmax(logits.float() if logits.element_size() == 2 else logits, 1)).log().to(logits.dtype)
        if label_smoothing or target.is_floating_point():
            raise NotImplementedError("label_smoothing, and target probabilities")
        return functional.nll_loss(logs, target.long(), weight, ignore_index=ignore_index, reduction=reduction)

    return function


def in_float32(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
    if options.get("weight") is not None:
        options["weight"] = options["weight"].float()
    return functional.cross_entropy(logits.float(), target, **options).to(logits.dtype)


def negated(slope: torch.Tensor) -> torch.Tensor:
    return -slope


class Changed(torch.autograd.Function):
    """The identity, whose gradient is changed."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        ctx.change = change
        return logits.clone()

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> Any:
        return ctx.change(slopes[0]), None


def with_slope(change: Callable[[torch.Tensor], torch.Tensor]) -> Function:
    return lambda logits, target, **options: functional.cross_entropy(Changed.apply(logits, change), target, **options)


@pytest.mark.parametrize(("function", "families", "name"), [
    (of_probabilities(lambda p: p), {"gaps"}, "log-of-softmax"),
    (of_probabilities(lambda p: p.clamp(min=1e-6)), {"gaps", "one-hot"}, "clip-below-1e-06"),
    (of_probabilities(lambda p: p.clamp(1e-7, 1 - 1e-7)), {"gaps", "one-hot"}, "clip-1e-07"),
    (of_probabilities(lambda p: p + 1e-8), {"gaps"}, "epsilon-1e-08"),
    (in_float32, {"gaps", "gradient", "smoothing"}, "computed-in-float32"),
    (with_slope(negated), {"gradient"}, "gradient-sign"),
    (with_slope(lambda slope: slope * (torch.arange(slope.shape[1]) < 2).reshape(1, -1, *[1] * (slope.ndim - 2))),
     {"gradient"}, "gradient-of-2-classes"),
    (with_slope(lambda slope: slope * (slope.abs() >= 1e-6)), {"gradient"}, "gradient-dropped-1e-06"),
])  # fmt: skip
def test_one_fault_is_one_finding_with_its_name(function: Function, families: set[str], name: str) -> None:
    """Twelve families that fail of one cause send a kernel's author looking for twelve."""
    result = judged(function, families)
    assert names(result) == [name]
    (fault,) = result.faults
    failed = [case.name for case in result.cases if case.outcome in {"fails", "differs by convention"}]
    assert list(fault.cases) == failed
    assert not fault.against
    assert fault.worst.reproduction
    assert fault.statement


def with_target_slope(change: Callable[[torch.Tensor], torch.Tensor]) -> Function:
    """torch's own, whose gradient with respect to target probabilities is changed."""

    def function(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        learnt = Changed.apply(target, change) if target.requires_grad else target
        return functional.cross_entropy(logits, learnt, **options)

    return function


def with_weights(
    in_loss: Callable[[torch.Tensor], torch.Tensor], in_divisor: Callable[[torch.Tensor], torch.Tensor]
) -> Function:
    """A weighted loss of labels in plain torch, whose weights have a gradient: torch's own have none."""

    def function(logits: torch.Tensor, target: torch.Tensor, *, weight: torch.Tensor | None = None,
                 ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0) -> Any:  # fmt: skip
        if weight is None or not weight.requires_grad or target.is_floating_point() or label_smoothing:
            own = in_loss(weight) if weight is not None and weight.requires_grad else weight
            return functional.cross_entropy(logits, target, own, ignore_index=ignore_index, reduction=reduction,
                                            label_smoothing=label_smoothing)  # fmt: skip
        counted = target != ignore_index
        own = -torch.log_softmax(logits, 1).gather(1, target.where(counted, 0)[:, None])[:, 0]
        losses = torch.where(counted, own * in_loss(weight)[target.where(counted, 0)], 0.0)
        if reduction == "none":
            return losses
        return losses.sum() / (in_divisor(weight)[target[counted]].sum() if reduction == "mean" else 1.0)

    return function


def with_labels(change: Callable[[torch.Tensor, int], torch.Tensor]) -> Function:
    """torch's own, of other labels."""

    def function(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        is_soft, classes = target.is_floating_point(), logits.shape[min(1, logits.ndim - 1)]
        return functional.cross_entropy(logits, target if is_soft else change(target, classes), **options)

    return function


def flattened(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
    """[N, C, d] in rows of C as it lies in memory."""
    if logits.ndim < 3:
        return functional.cross_entropy(logits, target, **options)
    samples, classes = logits[:, 0].shape, logits.shape[1]
    soft = target.is_floating_point()
    loss = functional.cross_entropy(
        logits.reshape(-1, classes), target.reshape(-1, classes) if soft else target.reshape(-1), **options
    )
    return loss.reshape(samples) if loss.ndim else loss


@pytest.mark.parametrize(("function", "families", "name"), [
    (with_target_slope(negated), {"gradient-variables", "gradient"}, "target-gradient-sign"),
    (with_target_slope(torch.zeros_like), {"gradient-variables", "gradient"}, "target-gradient-zero"),
    (with_target_slope(lambda slope: slope / 2), {"gradient-variables", "gradient"}, "target-gradient-halved"),
    (with_weights(lambda weight: Changed.apply(weight, negated), lambda weight: Changed.apply(weight, negated)),
     {"gradient-variables", "gradient"}, "weight-gradient-sign"),
    (with_weights(lambda weight: weight, torch.Tensor.detach), {"gradient-variables", "gradient"},
     "weight-gradient-constant-divisor"),
    (with_labels(lambda target, _: target.to(torch.int8).long()), {"labels", "ignored"}, "labels-in-int8-first"),
    (with_labels(lambda target, _: target.to(torch.uint8).long()), {"labels", "ignored"}, "labels-in-uint8-first"),
    (with_labels(lambda target, classes: target.short().long() % classes), {"labels", "ignored"},
     "labels-in-int16-modulo"),
    (with_labels(lambda target, classes: target.long() % classes), {"labels", "ignored"}, "labels-in-classes-modulo"),
    (flattened, {"shapes"}, "inner-axes-not-moved"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_faults_of_labels_of_axes_and_of_what_else_is_learnt_have_one_name(
    function: Function, families: set[str], name: str
) -> None:
    """`unexplained` beside seven cases of one mistake leaves its author to compare arrays by eye."""
    result = judged(function, families)
    assert name in names(result)
    fault = next(each for each in result.faults if each.name == name)
    own = {case.name for case in result.cases if case.outcome == "fails"} - set(fault.cases)
    assert not fault.against
    assert all(case.startswith("gradient-ignored") for case in own)


def test_the_gradient_that_mistakes_start_from_is_the_certified_one() -> None:
    """A mistake that is predicted from a wrong gradient fits nobody's answer."""
    for case in CASES:
        if case.family == "gradient-variables":
            question = Question.of(case)
            assert question.slope is not None
            predicted = variables.slope_of(Call(case, question.inputs)).numpy()
            assert abs(predicted - question.slope.value).max() < 1e-10, case.name


def test_what_writes_to_its_inputs_is_one_fault_however_many_cases_it_spoils() -> None:
    """The same answer to every case is one line of the report."""

    def masks(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        result = functional.cross_entropy(logits, target.clone(), **options)
        if target.dtype == torch.int64:
            target.masked_fill_(target == options["ignore_index"], 0)
        return result

    result = judged(masks, {"ignored", "smoothing"})
    assert [(fault.name, fault.statement) for fault in result.faults] == [
        ("in-place", "it writes to its inputs: target")
    ]
    assert len(result.faults[0].families) == 2


def test_a_label_of_minus_one_alone_that_is_ignored_is_a_fault_and_no_convention() -> None:
    """Whoever reads `differs by convention` goes on; here a label of -1 trains on nothing, and others crash."""

    def ignores_negative(
        logits: torch.Tensor, target: torch.Tensor, *, ignore_index: int = -100, **options: Any
    ) -> Any:
        kept = torch.where(target < 0, -100, target) if not target.is_floating_point() else target
        return functional.cross_entropy(logits, kept, ignore_index=-100, **options)

    result = judged(ignores_negative, {"ignored"})
    assert result.verdict == "fails"
    assert names(result) == ["ignored-when-negative"]


def test_a_convention_that_another_case_contradicts_is_a_fault() -> None:
    """A mean over the samples for float32 alone is no decision that somebody wrote down."""

    def half_decided(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        if logits.dtype != torch.float32 or options["reduction"] != "mean" or options.get("weight") is None:
            return functional.cross_entropy(logits, target, **options)
        total = functional.cross_entropy(logits, target, **(options | {"reduction": "sum"}))
        return total / (target != options["ignore_index"]).sum()

    cases = {fault.outcome for fault in judged(half_decided, {"weights"}).faults}
    assert cases == {"fails"}


PADDLE_WEIGHT = torch.tensor([0.125, 0.25, 8.0, 32.0], dtype=torch.float64)


def paddle(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None, smoothing: float) -> torch.Tensor:
    smoothed = (
        functional.one_hot(target, logits.shape[1]).to(logits.dtype) * (1 - smoothing) + smoothing / logits.shape[1]
    )
    weights = smoothed @ weight if weight is not None else torch.ones(len(logits), dtype=logits.dtype)
    return (weights * -(smoothed * torch.log_softmax(logits, 1)).sum(1)).sum() / weights.sum()


def fastai(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None, smoothing: float) -> torch.Tensor:
    logs = torch.log_softmax(logits, 1)
    smooth = -logs.sum(1).mean() * smoothing / logits.shape[1]
    return smooth + (1 - smoothing) * functional.nll_loss(logs, target, weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("function", "name"), [(paddle, "smoothing-by-mean-weight"), (fastai, "smoothing-unweighted")])
def test_a_convention_is_named_at_every_dtype_and_its_gradient_is_judged_under_it(
    function: Any, name: str, dtype: torch.dtype
) -> None:
    """A library that is called wrong in bfloat16, and conventional in float32, was judged by nobody."""
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).mul(3).to(dtype)
    target, weight = torch.tensor([0, 1, 1, 0, 1, 0]), PADDLE_WEIGHT.to(dtype)
    inputs = Inputs(logits, target, weight)
    case = Case(name="smoothing/x", about="", load=lambda: inputs, reduction="mean", label_smoothing=0.4, gradient=1)
    leaf = logits.double().clone().requires_grad_()
    loss = function(leaf, target, weight.double(), 0.4)
    (slope,) = torch.autograd.grad(loss, leaf)
    question = Question.of(case)
    result = judge(question, Answer("value", loss=loss.detach().to(dtype), gradient=slope.to(dtype)))
    assert (result.outcome, result.names[0]) == ("differs by convention", name)
    wrong = judge(question, Answer("value", loss=loss.detach().to(dtype), gradient=-slope.to(dtype)))
    assert wrong.outcome == "fails"
    assert "neither the certified one nor that of its convention" in wrong.reason


def test_one_log_sum_is_a_convention_with_its_own_gradient() -> None:
    """Target probabilities that add up to 2 leave softmax - q, and not 2 softmax - q, in many kernels."""
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
    target = torch.tensor([[0.5, 1.0, 0.5], [0.25, 0.25, 0.5]], dtype=torch.float64)
    inputs = Inputs(logits, target)
    case = Case(name="probabilities/x", about="", load=lambda: inputs, reduction="none", gradient=1)
    loss = torch.logsumexp(logits, 1) - (target * logits).sum(1)
    result = judge(Question.of(case), Answer("value", loss=loss, gradient=torch.softmax(logits, 1) - target))
    assert (result.outcome, result.names) == ("differs by convention", ("one-log-sum",))


def test_a_name_that_explains_less_than_half_of_an_error_explains_nothing() -> None:
    """A wide allowance in 16 bits would give any small error the first name of the registry."""
    inputs = Inputs(torch.zeros(1, 10, dtype=torch.bfloat16), torch.tensor([3]))
    question = Question.of(Case(name="plain/x", about="", load=lambda: inputs))
    answer = Answer("value", loss=torch.tensor([2.34375], dtype=torch.bfloat16))
    assert names_of(question, answer, judge(question, answer)) == ()


def test_a_case_tells_a_name_only_where_the_fault_shows() -> None:
    """A contradiction by a case that the fault leaves alone would take every name away."""
    confident, plain = (
        Question.of(Case(name="x/y", about="", load=lambda given=given: given))
        for given in (
            Inputs(torch.tensor([[90.0, 0.0]]), torch.tensor([1])),
            Inputs(torch.zeros(1, 2), torch.tensor([1])),
        )
    )
    assert could_tell(confident, "clip-1e-07")
    assert not could_tell(plain, "clip-1e-07")
    assert not could_tell(plain, "no-weights")


def test_every_name_says_something_and_links_to_reports_alone() -> None:
    """The registry is what users read: an empty sentence is a broken report."""
    assert len(NAMES) > 150
    assert all(name.statement and not name.statement.endswith(".") for name in NAMES.values())
    assert all(link.startswith("https://github.com/") for name in NAMES.values() for link in name.known)


def test_an_unexplained_failure_is_said_to_be_one() -> None:
    """A guess that fits nothing must not be printed."""

    def strange(logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        loss = functional.cross_entropy(logits, target, **options)
        return loss * torch.where(loss > 50.0, 1.013, 1.0).to(loss.dtype)

    faults = judged(strange, {"gaps"}).faults
    assert {fault.name for fault in faults} == {"unexplained"}
    assert not any(fault.known for fault in faults)


def test_a_demanded_grade_fails_what_the_default_only_shows() -> None:
    """A project that wants shift-first needs an exit code, not a column to read."""
    inputs = Inputs(torch.tensor([[100.0, 99.0]]), torch.tensor([0]))
    case = Case(name="offsets/x", about="", load=lambda: inputs)
    answer = Answer("value", loss=torch.tensor([0.31326166 + 6e-6]))
    result = judge(Question.of(case), answer)
    assert result.outcome == "passes"
    assert Demands().held(result) == result
    failed = Demands(grade="shift-first").held(result)
    assert (failed.outcome, failed.reason) == (
        "fails", "the grade logsumexp - x[y] is not good enough for --grade shift-first",
    )  # fmt: skip
    assert Demands(grade="shift-first").held(replace(result, grade="shift-first")).outcome == "passes"


def test_exitfirst_asks_nothing_more() -> None:
    """The first failure is what somebody mends first."""
    result = judged(of_probabilities(lambda p: p + 1e-4), {"gaps", "one-hot"}, first=True)
    assert sum(case.outcome == "fails" for case in result.cases) == 1
    assert result.cases[-1].outcome == "fails"
    assert isinstance(result.faults[0], Fault)


@pytest.mark.parametrize(("said", "refused"), [
    ('RuntimeError: "log_softmax" not implemented for \'Half\'', True),
    ("TypeError: float16 is not supported", True),
    ("ValueError: label_smoothing must be in [0, 1)", True),
    ("error: unsupported value for smoothing: 1", True),
    ("thread 'main' panicked: dtype f16 unimplemented", True),
    ("ValueError: logits must be finite, found NaN", False),  # these have none
    ("IndexError: index 3 is out of bounds for axis 1 with size 3", False),
    ("RuntimeError: expected scalar type Half but found Float", False),
    ("RuntimeError: CUDA error: an illegal memory access was encountered", False),
    ("NotImplementedError", False),
    ("ValueError: bfloat16 is not supported", False),  # they are float16
])  # fmt: skip
def test_a_refusal_says_what_it_refuses_and_a_crash_does_not(said: str, refused: bool) -> None:
    """A kernel without float16 is no broken kernel, and one that crashes in float16 is."""
    inputs = Inputs(torch.zeros(1, 3, dtype=torch.float16), torch.tensor([1]))
    case = Case(name="x/y", about="", load=lambda: inputs, label_smoothing=1.0)
    outcome = judge(Question.of(case), Answer("error", said)).outcome
    assert outcome == ("unsupported" if refused else "fails")


def test_nan_may_be_refused_by_its_name() -> None:
    """A library that checks its logits does nobody harm."""
    inputs = Inputs(torch.tensor([[float("nan"), 0.0]]), torch.tensor([1]))
    question = Question.of(Case(name="x/y", about="", load=lambda: inputs))
    assert judge(question, Answer("error", "ValueError: logits must be finite, found NaN")).outcome == "unsupported"
