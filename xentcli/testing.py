"""For tests of other people's losses: an assertion with derived tolerances, and the battery as pytest parameters."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import torch

from xentcli.api import compare
from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.finding import callee
from xentcli.conform.asking.implementation import Answer, InProcess, any_program
from xentcli.conform.asking.learning import learn
from xentcli.conform.battery import Run
from xentcli.conform.cases.case import Case, Inputs
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.cases.generated import FAMILY as GENERATED
from xentcli.conform.cases.generated import generated
from xentcli.conform.judging.judge import Question, judge
from xentcli.records.conformance import GRADES, SMOKE
from xentcli.render.comparison.cells import gate_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xentcli.question.problem import Reduction
    from xentcli.records.conformance import CaseResult

__all__ = ["Conformance", "arrays", "ask", "assert_cross_entropy", "assert_same_model", "conformance"]


def assert_same_model(
    base: Any,
    other: Any,
    labels: Any = None,
    *,
    max_kl: float | None = None,
    max_ppl_ratio: float | None = None,
    min_same_top: float | None = None,
    equivalence: float | None = None,
) -> None:
    """Assert that two sets of logits keep the limits, by proof; without any, that they give the same probabilities.

    The arguments are those of `xentcli.compare`.  Errors: AssertionError, with the value, the limit and the rows that
    weigh most.

    >>> assert_same_model([[2.0, 0.0]], [[3.0, 1.0]])
    """
    found = compare(
        base,
        other,
        labels,
        max_kl=max_kl,
        max_ppl_ratio=max_ppl_ratio,
        min_same_top=min_same_top,
        equivalence=equivalence,
    )
    (one,) = found.comparisons
    if not one.gates and one.identity.same_rows < one.counts.rows - one.counts.ignored:
        raise AssertionError(one.summary)
    for gate in one.gates:
        if gate.verdict != "holds":
            raise AssertionError(f"{gate.verdict}: {gate_line(gate)}")


def assert_cross_entropy(
    actual: Any,
    logits: Any,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    strict: bool = False,
) -> None:
    """Assert that `actual` is the cross-entropy of the logits, to what rounding in their dtype allows.

    actual   the loss, of the shape that torch's has; arrays may be tensors or NumPy's
    strict   a computation by logsumexp(x) - x[y], which loses the digits of a common offset, is not good enough

    The tolerance is derived for each sample: there is none to choose.  The other arguments are those of
    `torch.nn.functional.cross_entropy`.  Errors: AssertionError, with the worst value beside the certified one.

    >>> assert_cross_entropy(torch.tensor(0.6931472), torch.zeros(1, 2), torch.tensor([1]))
    """
    inputs = Inputs(
        torch.as_tensor(logits).detach(),
        torch.as_tensor(target),
        None if weight is None else torch.as_tensor(weight).detach(),
    )
    case = Case(
        name="assert/call",
        about="",
        load=lambda: inputs,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        strict=strict,
    )
    question = Question.of(case)
    result = judge(question, Answer("value", loss=torch.as_tensor(actual).detach()))
    if result.outcome != "passes":
        raise AssertionError(_message(question, result))


class Conformance:
    """One case of the battery: call it, and it passes or raises."""

    def __init__(self, run: Callable[[], Run], case: Case) -> None:
        self._run, self._case = run, case

    def __call__(self) -> None:
        """Ask and judge; AssertionError for what is wrong, SkipTest (which pytest knows) for what is not supported."""
        run = self._run()
        result = run.result(self._case)
        if result.outcome == "unsupported":
            raise SkipTest(result.reason)
        if result.outcome != "passes":
            raise AssertionError(_message(run.decisive[self._case.name], result))

    def __repr__(self) -> str:
        return self._case.name


def conformance(
    function: Callable[..., Any], families: Iterable[str] | None = None, *, arrays: str = "torch"
) -> list[Conformance]:
    """The battery's cases on a function, to parametrise a test over; of these families, or of all.

    >>> cases = conformance(torch.nn.functional.cross_entropy, ["ties"])
    >>> [repr(case) for case in cases][:2]
    ['ties/float64', 'ties/float32']
    >>> cases[0]()

    A test is two lines: `@pytest.mark.parametrize("case", conformance(my_loss), ids=repr)` over
    `def test_my_loss(case): case()`.  The function runs in the test's own process.  Errors: UsageError for an unknown
    family.
    """
    wanted = tuple(families or ())
    cases = corpus().chosen(wanted, (), large=False)
    run = cache(partial(_run, function, arrays))  # learnt when the first test runs, and once
    return [Conformance(run, case) for case in cases if case.family != SMOKE or SMOKE in wanted]


def _run(function: Callable[..., Any], arrays: str) -> Run:
    """The function, with what it offers found out."""
    implementation = InProcess.of(getattr(function, "__name__", "function"), callee(function), arrays)
    return Run(implementation, [], offer=learn(implementation))


def _message(question: Question, result: CaseResult) -> str:
    """In the manner of torch.testing: what, how many, the worst value and its allowance, and the case it is of."""
    lines = ["Cross-entropy is not the certified one!" if result.worst else f"Cross-entropy: {result.reason}", ""]
    if result.worst is not None:
        worst = result.worst
        place = f" at index {worst.index}" if worst.index else ""
        kind = "derived for " + question.inputs.dtype
        lines += [
            f"Greatest difference in the {worst.what}: {abs(worst.got - worst.certified)!r}{place}",
            f"Allowed difference: {worst.allowed:.3g} ({kind})",
            f"Computed {worst.got!r}, certified {worst.certified!r}",
        ]
    if result.outcome == "differs by convention":
        lines.append(f"Explained by another convention: {result.reason}")
    if result.accuracy and result.accuracy.digits_minimum is not None:
        lines.append(f"Digits right: {result.accuracy.digits_minimum:.1f} at the worst")
    if question.case.about:
        lines.append(f"Case {question.case.name}: {question.case.about}")
    if result.reports:
        lines.append(f"Known elsewhere as {result.reports[0]}")
    if question.case.strict:
        lines.append(f"({GRADES[-1]} is not good enough here)")
    return "\n".join(line for line in lines if line or line == "")


def arrays(case: str) -> dict[str, torch.Tensor]:
    """The arrays of a case of the battery, by name, as an implementation is asked them, on torch's default device.

    case   as `xent conform --list` and reports name it, those of `--examples` too

    >>> sorted(arrays("ties/float32"))
    ['logits', 'target']
    """
    seed, _, number = case.removeprefix(f"{GENERATED}/").partition("-")
    drawn = generated(int(seed), int(number) + 1) if case.startswith(f"{GENERATED}/") else ()
    found = next((each for each in (*drawn, *corpus().cases) if each.name == case), None)
    if found is None:
        raise corpus().unknown(case)
    inputs: Inputs = found.asked(found.load())
    return {name: array.to(torch.get_default_device()) for name, array in inputs.named().items()}


def ask(
    command: str,
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    upstream: torch.Tensor | None = None,
    gradient: int = 0,
    layout: dict[str, Any] | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """What a program that speaks the battery's protocol answers to one call: the loss, or its gradient.

    gradient   how many backwards are asked for; 0 for the loss

    Errors: RuntimeError, with what the program said in place of an answer.
    """
    inputs = Inputs(logits, target, weight, upstream)
    case = Case(name="ask/call", about="", load=lambda: inputs, reduction=reduction, ignore_index=ignore_index,
                label_smoothing=label_smoothing, gradient=gradient, layout=layout or {})  # fmt: skip
    with any_program(command, Limits()) as program:
        answer = program.ask(case, inputs)
    found = answer.gradient if gradient else answer.loss
    if found is None:
        raise RuntimeError(answer.said or "the answer has no gradient")
    return found
