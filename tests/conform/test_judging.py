"""Judging is fair: what is right passes by its grade, what is wrong by a hair more than allowed fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from xentcli.conform.asking.implementation import Answer, InProcess
from xentcli.conform.cases.case import Case, Inputs
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.cases.generated import generated
from xentcli.conform.doubles.all import wrong_cast
from xentcli.conform.doubles.textbook import Textbook
from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.telling.reproduction import reproduce
from xentcli.records.conformance import GRADES, CaseResult

LARGE = {"half-accumulation", "half-overflow", "reductions", "many-classes"}
SMALL = [
    case for case in corpus().chosen((), (), large=False)
    if case.expects == "value" and case.family not in LARGE
]  # fmt: skip
DOUBLES = {double.name: double for double in wrong_cast()}


def case_of(logits: torch.Tensor, target: torch.Tensor, **options: object) -> Question:
    inputs = Inputs(logits, target)
    return Question.of(Case(name="test/case", about="", load=lambda: inputs, **options))


def told(question: Question, values: list[float] | float, dtype: torch.dtype | None = None) -> CaseResult:
    return judge(question, Answer("value", loss=torch.tensor(values, dtype=dtype or question.inputs.logits.dtype)))


def nearest_slope(question: Question) -> torch.Tensor:
    """The certified gradient as an implementation gives it."""
    assert question.slope is not None
    values, shape, axis = torch.from_numpy(question.slope.value), question.slope_shape, question.inputs.block.class_dim
    if len(shape) < 2:
        return values.reshape(shape)
    return values.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]).movedim(-1, axis)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_the_nearest_number_is_right_and_one_beyond_the_allowance_is_wrong(case: Case) -> None:
    """A bound that nothing breaks is as bad as one that everything does."""
    question = Question.of(case)
    certified = question.certified
    assert certified is not None
    dtype = question.inputs.logits.dtype
    nearest = torch.from_numpy(certified.value).to(dtype).reshape(certified.shape)
    gradient = None if question.slope is None else nearest_slope(question).to(dtype)
    assert judge(question, Answer("value", loss=nearest, gradient=gradient)).outcome == "passes"
    if gradient is not None:
        slope = question.slope
        assert slope is not None
        at = int(np.nanargmax(np.abs(slope.value)))
        gap = 3.0 * (slope.allowed[GRADES[-1]] + slope.radius).reshape(-1)[at]
        beyond = gradient.double() + gap * (nearest_slope(question) == slope.value.reshape(-1)[at])
        assert judge(question, Answer("value", loss=nearest, gradient=beyond)).outcome == "fails"
    allowed = certified.allowed[GRADES[-1]]
    moved = certified.value + 1.5 * allowed + 2.0 * np.spacing(np.abs(certified.value)) + 1e-300
    away = torch.from_numpy(moved).double().reshape(certified.shape)
    if np.isfinite(certified.value).any() and (moved != certified.value)[np.isfinite(certified.value)].any():
        assert judge(question, Answer("value", loss=away, gradient=gradient)).outcome != "passes"


@pytest.mark.slow
@pytest.mark.parametrize("function", [functional.cross_entropy, Textbook()], ids=["torch", "textbook"])
def test_right_implementations_pass_generated_cases(function: object) -> None:
    """A false alarm in one run of a hundred would be met by everybody."""
    implementation = InProcess("right", function)
    for case in generated(7, 150):
        question = Question.of(case)
        result = judge(question, implementation.ask(case, question.inputs))
        assert result.outcome == "passes", (result, question.inputs)


def test_generated_cases_depend_on_the_seed_alone() -> None:
    """`--seed 3` in a bug report must show the reader the same case."""
    first, again = list(generated(3, 5)), list(generated(3, 5))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.load().logits, other.load().logits)
    assert not torch.equal(first[0].load().logits, next(iter(generated(4, 1))).load().logits)


def test_grades_are_told_apart() -> None:
    """A cheaper algorithm is not broken, and a sloppy one not exact."""
    question = case_of(torch.tensor([[100.0, 99.0]]), torch.tensor([0]))
    assert told(question, [0.31326166]).grade == "shift-first"
    assert told(question, [0.31326166 + 6e-6]).grade == "logsumexp - x[y]"
    assert told(question, [0.31326166 + 1e-3]).outcome == "fails"


def test_a_16_bit_loss_may_be_rounded_once_or_as_torch_does() -> None:
    """0.69 in bfloat16 is 0.6914, and a sum that is stored costs more."""
    logits, target = torch.zeros(1, 10, dtype=torch.bfloat16), torch.tensor([3])
    question = case_of(logits, target)
    assert told(question, [2.296875]).grade == "shift-first"
    assert told(question, [2.3125]).grade == "sum stored in 16 bits"
    assert told(question, [2.40625]).outcome == "fails"


def test_a_strict_case_takes_no_cheaper_algorithm() -> None:
    """A common offset is what tells them apart."""
    logits = torch.tensor([[1e6, 1e6 + 1.0]])
    loose, strict = case_of(logits, torch.tensor([1])), case_of(logits, torch.tensor([1]), strict=True)
    value = (torch.logsumexp(logits, 1) - logits[:, 1]).tolist()
    assert told(loose, value).outcome == "passes"
    assert told(strict, value).outcome == "fails"


def test_what_torch_calls_nan_may_be_zero_and_is_named() -> None:
    """Both answers are met, and neither is an error."""
    question = case_of(torch.zeros(2, 3), torch.tensor([-100, -100]), reduction="mean")
    assert told(question, float("nan")).notes == ()
    assert told(question, 0.0).notes == ("the mean of no samples is 0 (torch: NaN)",)
    assert told(question, 1.0).outcome == "fails"


def test_a_wider_loss_is_named_and_held_to_its_own_digits_first() -> None:
    """Many kernels give a float32 loss of bfloat16 logits: no fault, but whoever compares dtypes wants to be told."""
    question = case_of(torch.zeros(1, 10, dtype=torch.bfloat16), torch.tensor([3]))
    exact = told(question, [2.3025851], torch.float32)
    assert exact.outcome == "passes"
    assert exact.notes == ("bfloat16 logits give a float32 loss (torch: bfloat16)",)
    assert exact.accuracy is not None
    assert exact.accuracy.digits_minimum is not None
    assert exact.accuracy.digits_minimum > 6.0
    rounded = told(question, [2.296875], torch.float32)
    assert rounded.outcome == "passes"
    assert rounded.notes == ("bfloat16 logits give a float32 loss that is no better than bfloat16",)
    assert told(question, [2.4], torch.float32).outcome == "fails"


def test_a_wider_loss_has_no_excuse_to_overflow() -> None:
    """What float16 cannot hold float32 can: an infinity is the float16 of before."""
    logits, target = torch.tensor([[60000.0, 0.0]] * 3, dtype=torch.float16), torch.tensor([1, 1, 1])
    question = case_of(logits, target, reduction="sum")
    assert told(question, 180000.0, torch.float32).notes == ("float16 logits give a float32 loss (torch: float16)",)
    assert "no better than float16" in told(question, float("inf"), torch.float32).notes[0]


def test_a_wrong_value_is_no_convention_because_the_allowance_is_wide() -> None:
    """An offset of 1e15 leaves `logsumexp - x[y]` no digit; a strict case does not grant it, nor does a convention."""
    logits = torch.tensor([[1e15, 1e15]], dtype=torch.float64)
    question = case_of(logits, torch.tensor([0]), strict=True)
    assert told(question, [0.75]).outcome == "fails"
    assert told(question, [1.0]).reason == "the loss is in bits, not in nats"


def test_a_refusal_that_did_not_come_shows_the_loss_of_the_label_that_is_no_class() -> None:
    """The loss of its neighbour is right, and says nothing."""
    case = next(case for case in corpus().cases if case.name == "refusals/negative-none")
    question = Question.of(case)
    losses = torch.tensor([0.1, 0.2, 0.3, 0.4])
    assert judge(question, Answer("value", loss=losses)).reason.endswith("the loss of -1 is 0.20000000298023224")


def test_samples_that_are_asked_again_and_again_have_the_losses_of_the_first() -> None:
    """A case of gigabytes is certified by a few of its rows, and each of the others must be theirs."""
    case = next(case for case in corpus().cases if case.name == "sizes/70000-rows")
    question = Question.of(case)
    asked = case.asked(question.inputs)
    assert len(asked.logits) == 70000
    right = functional.cross_entropy(asked.logits, asked.target, reduction="none")
    assert judge(question, Answer("value", loss=right)).outcome == "passes"
    assert judge(question, Answer("value", loss=right[:5])).outcome == "fails"
    wrapped = torch.cat((right[: 1 << 16], right[: 70000 - (1 << 16)]))
    worst = judge(question, Answer("value", loss=wrapped)).worst
    assert worst is not None
    assert worst.index[0] >= 1 << 16


def test_an_infinity_is_right_only_beyond_the_format() -> None:
    """An overflow on the way is a failure, the overflow of the loss itself is rounding."""
    beyond = case_of(torch.tensor([[65504.0, -65504.0]], dtype=torch.float16), torch.tensor([1]))
    assert told(beyond, [float("inf")]).outcome == "passes"
    inside = case_of(torch.tensor([[30000.0, -30000.0]], dtype=torch.float16), torch.tensor([1]))
    assert told(inside, [float("inf")]).outcome == "fails"


def test_a_byte_is_not_minus_hundred() -> None:
    """uint8 labels compared with −100 are compared with 156; xent must not fall into the trap that it tests."""
    logits = torch.randn(2, 200, generator=torch.Generator().manual_seed(0))
    question = case_of(logits, torch.tensor([156, 3], dtype=torch.uint8))
    assert question.certified is not None
    true = functional.cross_entropy(logits, torch.tensor([156, 3]), reduction="none").tolist()
    np.testing.assert_allclose(question.certified.value, true, rtol=1e-5)


@pytest.mark.parametrize(("double", "convention"), [
    ("ignored-in-denominator", "the mean is over all samples, the ignored ones too"),
    ("mean-over-samples", "the mean is over the samples, not over their weights"),
    ("smooths-over-others", "smoothing is over the other classes"),
    ("smooths-by-label-weight", "smoothing takes the weight of the label"),
    ("mean-over-batch-axis", "the mean is over the batch axis alone"),
    ("normalises-target", "target probabilities are scaled to sum to 1"),
    ("mean-over-elements", "the mean is over all elements, the classes too"),
    ("weights-in-soft-denominator", "the mean is over the weights of the target probabilities"),
])  # fmt: skip
def test_conventions_are_named(double: str, convention: str) -> None:
    """A library that decided otherwise wants to read which decision it was, not a number."""
    function, family = DOUBLES[double].function, DOUBLES[double].family
    implementation = InProcess(double, function)
    questions = [Question.of(case) for case in SMALL if case.family == family]
    results = [judge(each, implementation.ask(each.case, each.inputs)) for each in questions]
    assert convention in {result.reason for result in results if result.outcome == "differs by convention"}


def test_bits_are_a_convention() -> None:
    """Entropy is measured in bits elsewhere."""
    question = case_of(torch.tensor([[0.0, 2.0]]), torch.tensor([0]), reduction="sum")
    assert told(question, 2.126928 / 0.6931472).reason == "the loss is in bits, not in nats"


@pytest.mark.parametrize(
    "name", ["ignored-in-denominator", "log-of-softmax", "last-class-dropped", "mean-gradient-for-sum"]
)
def test_a_reproduction_runs_and_shows_the_number(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that are pasted into a bug report must show the bug there."""
    double = DOUBLES[name]
    implementation = InProcess("wrong", double.function)
    questions = (Question.of(case) for case in corpus().cases if case.family == double.family)
    failed = next(
        (each, result)
        for each in questions
        if (result := judge(each, implementation.ask(each.case, each.inputs))).worst is not None
        and result.outcome in {"fails", "differs by convention"}
    )
    result = reproduce(implementation, *failed)
    script = "\n".join(result.reproduction)
    exec(script, {"wrong": double.function})
    printed = capsys.readouterr().out
    assert result.worst is not None
    assert f"{result.worst.got:.3g}"[:4] in printed.replace("inf", "inf ")
    sizes = [line.count(".") for line in result.reproduction if line.startswith("logits =")]
    assert sizes
    assert sizes[0] <= failed[0].inputs.logits.numel()


def slope_of(question: Question, gradient: list[list[float]]) -> CaseResult:
    """What becomes of a gradient next to the right loss."""
    assert question.certified is not None
    dtype = question.inputs.logits.dtype
    loss = torch.from_numpy(question.certified.value).to(dtype).reshape(question.certified.shape)
    return judge(question, Answer("value", loss=loss, gradient=torch.tensor(gradient, dtype=dtype)))


def test_a_confident_row_of_16_bits_keeps_a_gradient() -> None:
    """A label of probability 0.997 that is told to be certain never learns; 0 is what a sum stored in 16 bits gives."""
    logits = torch.tensor([[7.0, -1.0, 0.5, 0.0]], dtype=torch.bfloat16)
    question = case_of(logits, torch.tensor([0]), gradient=1)
    assert question.slope is not None
    np.testing.assert_allclose(question.slope.value[0, 0], -0.002743, rtol=1e-3)
    others = [0.00033569, 0.0015030, 0.00091171]
    assert slope_of(question, [[-0.0027466, *others]]).grade == "shift-first"
    assert slope_of(question, [[0.0, *others]]).grade == "sum stored in 16 bits"
    assert slope_of(question, [[-0.0117, *others]]).grade == "logsumexp - x[y]"
    strict = case_of(logits, torch.tensor([0]), gradient=1, strict=True)
    assert slope_of(strict, [[-0.0117, *others]]).outcome == "fails"


@pytest.mark.parametrize("variable", ["target", "weight"])
def test_a_gradient_that_is_not_offered_is_not_judged(variable: Any) -> None:
    """Most kernels know the logits' gradient alone, and that is no fault; a wrong one is."""
    logits, target = torch.tensor([[1.0, 2.0], [0.5, 0.0]]), torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    inputs = Inputs(logits, target, torch.tensor([1.0, 2.0]), variable=variable)
    question = Question.of(Case(name="test/case", about="", load=lambda: inputs, gradient=1, may_refuse=True))
    assert question.certified is not None
    loss = torch.from_numpy(question.certified.value).float()
    result = judge(question, Answer("value", loss=loss))
    assert (result.outcome, result.reason) == ("unsupported", f"no gradient with respect to the {variable}")
    right = nearest_slope(question).float()
    assert judge(question, Answer("value", loss=loss, gradient=right)).outcome == "passes"
    worst = judge(question, Answer("value", loss=loss, gradient=right + 1e-3)).worst
    assert worst is not None
    assert len(worst.index) == (1 if variable == "weight" else 2)


def test_the_second_gradient_is_judged_as_well() -> None:
    """A buffer that is not cleared is right once."""
    question = case_of(torch.tensor([[1.0, 2.0]]), torch.tensor([0]), gradient=1, repeated=True)
    assert question.certified is not None
    loss, slope = torch.from_numpy(question.certified.value).float(), nearest_slope(question).float()
    first, again = (Answer("value", loss=loss, gradient=each) for each in (slope, 2.0 * slope))
    assert judge(question, first, first).outcome == "passes"
    assert judge(question, first, again).reason == "the second time the gradient is not the certified one"


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_rows_that_are_asked_again_are_reduced_as_often(reduction: Any) -> None:
    """A million rows are certified by two of them, and their sum is half a million times as large."""
    logits, target = torch.tensor([[1.0, 2.0], [0.5, 0.0]], dtype=torch.float64), torch.tensor([0, 0])
    few = case_of(logits, target, reduction=reduction, rows=6)
    many = functional.cross_entropy(logits.repeat(3, 1), target.repeat(3), reduction=reduction)
    assert few.certified is not None
    np.testing.assert_allclose(few.certified.value, [many.item()], rtol=1e-15)
    assert told(few, many.item()).outcome == "passes"


def test_a_target_of_another_shape_is_named_when_it_is_not_refused() -> None:
    """Labels of shape (N, 1) that are broadcast give a number that looks like a loss."""
    case = next(case for case in corpus().cases if case.name == "refusals/target-column-mean")
    result = judge(Question.of(case), Answer("value", loss=torch.tensor(1.5)))
    assert result.outcome == "fails"
    assert result.reason.startswith("a target of shape (4, 1) for logits of shape (4, 5) is not refused")


def test_numbers_in_a_sample_without_a_loss_are_nobodys_fault() -> None:
    """The gradient of a row of NaN is nothing that can be wrong; that of its neighbour is."""
    logits = torch.tensor([[torch.nan, 0.0], [0.0, 0.0]])
    question = case_of(logits, torch.tensor([0, 1]), gradient=1)
    assert slope_of(question, [[torch.nan, 7.0], [0.5, -0.5]]).outcome == "passes"
    assert slope_of(question, [[torch.nan, 7.0], [torch.nan, -0.5]]).outcome == "fails"
