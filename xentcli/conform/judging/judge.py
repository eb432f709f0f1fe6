"""An answer against the certified value: within which grade, by which convention, or wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.conform.judging.call import Call
from xentcli.conform.judging.certified import Certified, certify, units_of_last_place
from xentcli.conform.judging.conventions import CONVENTIONS, harmless
from xentcli.conform.judging.fitting import digits_of, fits, is_nearer, loss_fits, loss_tells, tells, tolerance
from xentcli.conform.judging.hypothesis import predict
from xentcli.conform.judging.refusal import is_refusal
from xentcli.conform.judging.slopes import CertifiedSlope, certify_slope
from xentcli.measuring.case import floats
from xentcli.records.conformance import GRADES, Accuracy, CaseResult, Offence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.conform.asking.implementation import Answer
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.conform.judging.certified import Floats
    from xentcli.conform.judging.hypothesis import Hypothesis, Prediction

MOST_ENTRIES = 1 << 17  # logits beyond which no convention is looked for
FEW_VALUES = 8  # of a loss that are told


@dataclass(frozen=True, eq=False)
class Question:
    """A case with its arrays and its certified values, which many implementations may be asked."""

    case: Case
    inputs: Inputs
    certified: Certified | None  # None where no value is expected
    slope: CertifiedSlope | None

    @classmethod
    def of(cls, case: Case) -> Question:
        inputs = case.load()
        if case.expects == "refusal":
            return cls(case, inputs, None, None)
        certified = certify(case, inputs)
        return cls(case, inputs, certified, certify_slope(case, inputs, certified) if case.gradient else None)

    @property
    def is_of_logits(self) -> bool:
        """Whether the gradient is with respect to the logits, of each sample once."""
        return self.inputs.variable == "logits" and not self.case.rows

    @property
    def slope_shape(self) -> tuple[int, ...]:
        """That of the array that the gradient is with respect to, as it is asked."""
        shape = tuple(self.inputs.named()[self.inputs.variable].shape)
        return (self.case.rows, *shape[1:]) if self.case.rows and self.inputs.variable != "weight" else shape


def judge(question: Question, answer: Answer, again: Answer | None = None) -> CaseResult:
    """What came of a case; `again` is the answer to the same question asked twice."""
    blank = CaseResult(question.case.name, question.case.family, "fails", reports=question.case.reports)
    if answer.kind == "unsupported":
        return replace(blank, outcome="unsupported", reason=answer.said)
    if question.certified is None:
        return _judge_refusal(blank, question, answer)
    if why := _not_offered(question, answer):
        return replace(blank, outcome="unsupported", reason=why)
    reason = _form_error(question, question.certified, answer)
    if reason:
        return replace(blank, reason=reason)
    assert answer.loss is not None
    result = _judge_loss(blank, question, question.certified, answer.loss)
    if question.slope is not None and answer.gradient is not None:
        result = _judge_gradient(result, question, question.slope, answer.gradient)
    return _judge_again(result, question, answer, again) if again is not None else result


def _not_offered(question: Question, answer: Answer) -> str:
    """Why there is nothing to judge, though nobody said `unsupported`."""
    case, inputs = question.case, question.inputs
    if answer.kind == "error" and (case.may_refuse or is_refusal(answer.said, case, inputs)):
        return f"refused: {answer.said}"
    lacks = question.case.gradient and answer.kind == "value" and answer.gradient is None
    variable = question.inputs.variable
    return f"no gradient with respect to the {variable}" if lacks and variable != "logits" else ""


def _judge_again(result: CaseResult, question: Question, answer: Answer, again: Answer) -> CaseResult:
    """The second answer has the bits of the first, and a gradient that is as good."""
    if result.outcome != "passes":
        return result
    if not _equal(answer, again):
        return replace(result, outcome="fails", reason="the same call gives other bits when it is repeated")
    if question.slope is None or again.gradient is None:
        return result
    second = _judge_slope(result, question, question.slope, again.gradient)
    return second if second.outcome == "passes" else replace(second, reason=f"the second time {second.reason}")


def _judge_refusal(blank: CaseResult, question: Question, answer: Answer) -> CaseResult:
    """An error, or a NaN where nothing can be raised, is right; a number that looks like a loss is not."""
    if answer.kind == "error":
        return replace(blank, outcome="passes")
    if answer.kind == "value" and answer.loss is not None:
        if bool(answer.loss.isnan().any()):
            return replace(blank, outcome="passes", notes=(f"{_refused(question)} gives NaN, not an error",))
        return replace(blank, reason=f"{_refused(question)} is not refused, {_loss_of_stranger(question, answer.loss)}")
    return replace(blank, reason=answer.said)


def _refused(question: Question) -> str:
    """What must be refused: a label, or the target as a whole."""
    inputs = question.inputs
    if tuple(inputs.target.shape) == inputs.sample_shape:
        return "a label out of range"
    return f"a target of shape {tuple(inputs.target.shape)} for logits of shape {tuple(inputs.logits.shape)}"


def _loss_of_stranger(question: Question, loss: torch.Tensor) -> str:
    """What became of the first label that is no class."""
    labels = question.inputs.target.long().reshape(-1)
    strange = ((labels < 0) | (labels >= question.inputs.block.classes)).nonzero()
    if not len(strange):
        return f"the loss is {floats(loss)[:FEW_VALUES].tolist()}"
    at = int(strange[0])
    if loss.numel() == len(labels):
        return f"the loss of {int(labels[at])} is {floats(loss)[at]}"
    return f"with {int(labels[at])} among them the loss is {floats(loss).tolist()}"


def _form_error(question: Question, certified: Certified, answer: Answer) -> str:
    """What is wrong before any number is looked at."""
    if answer.kind != "value":
        return answer.said
    if answer.changed:
        return f"it writes to its inputs: {', '.join(answer.changed)}"
    loss = _array_error("loss", answer.loss, certified.shape, question.inputs)
    if loss or not question.case.gradient:
        return loss
    return _array_error("gradient", answer.gradient, question.slope_shape, question.inputs)


def _array_error(name: str, values: torch.Tensor | None, shape: tuple[int, ...], inputs: Inputs) -> str:
    if values is None:
        return f"the answer has no {name}"
    if tuple(values.shape) != shape:
        return f"the {name} has shape {tuple(values.shape)}, not {shape}"
    if not _holds(values.dtype, inputs.logits.dtype):
        return f"the {name} is {_name(values)}, of logits that are {inputs.dtype}"
    return ""


def _judge_loss(blank: CaseResult, question: Question, certified: Certified, loss: torch.Tensor) -> CaseResult:
    """In the logits' dtype; a wider loss is held to its own, and one that is no better than a narrow one says so."""
    values, narrow, wide = floats(loss), question.inputs.dtype, _name(loss)
    if wide == narrow:
        return _judge_values(blank, question, certified, values)
    finer = _judge_values(blank, question, certify(question.case, question.inputs, wide), values)
    if finer.outcome == "passes":
        return replace(finer, notes=(*finer.notes, f"{narrow} logits give a {wide} loss (torch: {narrow})"))
    coarser = _judge_values(blank, question, certified, values)
    note = f"{narrow} logits give a {wide} loss that is no better than {narrow}"
    return replace(coarser, notes=(*coarser.notes, note) if coarser.outcome == "passes" else coarser.notes)


def _judge_values(blank: CaseResult, question: Question, certified: Certified, values: Floats) -> CaseResult:
    accuracy = _accuracy(values, certified, certified.allowed[_grades(question)[-1]])
    for grade in _grades(question):
        if _within(values, certified, certified.allowed[grade]).all():
            return replace(blank, outcome="passes", grade=grade, accuracy=accuracy)
    allowed = certified.allowed[_grades(question)[-1]]
    is_open = np.isnan(certified.value)
    if is_open.any() and _within(values, certified, allowed)[~is_open].all():
        for name, other in harmless(Call(question.case, question.inputs)):
            ends = np.resize(other.detach().numpy(), certified.value.shape)
            room = tolerance(ends, certified.value, allowed, question.inputs.dtype)
            if fits(values[is_open], ends[is_open], ends[is_open], np.broadcast_to(room, ends.shape)[is_open]):
                return replace(blank, outcome="passes", accuracy=accuracy, notes=(name,))
    worst = _offence("loss", values, certified, allowed, certified.shape)
    failed = replace(blank, accuracy=accuracy, worst=worst, reason="the loss is not the certified one")
    names = tuple(
        each.code
        for each, prediction in _conventions(question, slope=False)
        if loss_tells(prediction, certified.value, allowed, question.inputs.dtype)
        and loss_fits(values, prediction, certified.value, allowed, question.inputs.dtype)
    )
    return _by_convention(failed, names) if names else failed


def _by_convention(failed: CaseResult, names: tuple[str, ...]) -> CaseResult:
    reason = CONVENTIONS[names[0]].statement
    return replace(failed, outcome="differs by convention", reason=reason, names=names)


def _conventions(question: Question, *, slope: bool) -> Iterator[tuple[Hypothesis, Prediction]]:
    """What each convention predicts of the case, where it says anything."""
    if question.inputs.logits.numel() > MOST_ENTRIES or (slope and not question.is_of_logits):
        return
    call = Call(question.case, question.inputs)
    for each in CONVENTIONS.values():
        prediction = predict(each, call, slope=slope)
        if prediction is not None:
            yield each, prediction


def _grades(question: Question) -> tuple[str, ...]:
    """The grades that do; a strict case is about the digits that the last one loses."""
    return GRADES[:-1] if question.case.strict else GRADES


def _judge_gradient(
    judged: CaseResult, question: Question, slope: CertifiedSlope, gradient: torch.Tensor
) -> CaseResult:
    """Under the convention that the loss follows; a gradient that follows one which its loss cannot tell is named."""
    if judged.outcome == "fails":
        return judged
    result = _judge_slope(judged, question, slope, gradient) if judged.outcome == "passes" else judged
    if result.outcome == "passes":
        return result
    names = tuple(_gradient_conventions(question, slope, gradient, result.names))
    if names:
        return _by_convention(result, names)
    if judged.outcome == "differs by convention":
        reason = f"the gradient is neither the certified one nor that of its convention ({judged.reason})"
        return replace(_judge_slope(judged, question, slope, gradient), outcome="fails", reason=reason, names=())
    return result


def _gradient_conventions(
    question: Question, slope: CertifiedSlope, gradient: torch.Tensor, names: tuple[str, ...]
) -> Iterator[str]:
    """The conventions, of these names if there are any, whose gradient this is."""
    allowed = slope.allowed[_grades(question)[-1]]
    values = slope.laid_out(gradient, question.inputs.block.class_dim)
    for each, prediction in _conventions(question, slope=True):
        other = prediction.slope
        if other is None or (names and each.code not in names):
            continue
        room = tolerance(other, slope.value, allowed, question.inputs.dtype)
        near = fits(values, other, other, room) and is_nearer(values, other, other, slope.value, allowed)
        if near and (names or tells(other, other, slope.value, room)):
            yield each.code


def _judge_slope(passed: CaseResult, question: Question, slope: CertifiedSlope, gradient: torch.Tensor) -> CaseResult:
    block = question.inputs.block
    values = slope.laid_out(gradient, block.class_dim)
    for grade in _grades(question):
        if _near(values, slope.value, slope.allowed[grade] + slope.radius).all():
            best = GRADES[max(GRADES.index(grade), GRADES.index(passed.grade or grade))]
            return replace(passed, grade=best)
    allowed = slope.allowed[_grades(question)[-1]]
    excess = _excess(values, slope.value, allowed)
    at = np.unravel_index(int(excess.argmax()), excess.shape)
    samples = (question.case.rows,) if question.case.rows else block.sample_shape or (1,)
    index = (*np.unravel_index(int(at[0]), samples), at[1]) if question.inputs.variable != "weight" else at[1:]
    worst = Offence("gradient", tuple(map(int, index)), float(values[at]), float(slope.value[at]), float(allowed[at]))
    return replace(passed, outcome="fails", worst=worst, reason="the gradient is not the certified one")


def _within(values: Floats, certified: Certified, allowed: Floats) -> NDArray[np.bool_]:
    """Each value next to its truth: inside the allowance, the same infinity or NaN, or beyond the format together."""
    truth, precision = certified.value, certified.models[GRADES[0]].precision
    with np.errstate(invalid="ignore"):
        beyond = np.isinf(values) & (np.abs(truth) + allowed >= float(min(precision.overflow, 10**308)))
        close = np.abs(values - truth) <= allowed + certified.radius
    same = (values == truth) | (np.isnan(values) & np.isnan(truth))
    inside: NDArray[np.bool_] = close | same | (beyond & (values > 0.0) & (truth > 0.0))
    return inside


def _near(values: Floats, truth: Floats, allowed: Floats) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.abs(values - truth) <= allowed
    return near | np.isnan(truth)


def _excess(values: Floats, truth: Floats, allowed: Floats) -> Floats:
    """Error over allowance; a NaN, or an infinity that is none, is beyond all others."""
    with np.errstate(all="ignore"):
        error = np.where((values == truth) | (np.isnan(values) & np.isnan(truth)), 0.0, np.abs(values - truth))
        share = np.where(error == 0.0, 0.0, error / allowed)
    return np.where(np.isnan(share), np.inf, share)


def _offence(what: str, values: Floats, certified: Certified, allowed: Floats, shape: tuple[int, ...]) -> Offence:
    at = int(_excess(values, certified.value, allowed).argmax())
    index = tuple(map(int, np.unravel_index(at, shape))) if shape else ()
    return Offence(what, index, float(values[at]), float(certified.value[at]), float(allowed[at]))


def _accuracy(values: Floats, certified: Certified, allowed: Floats) -> Accuracy:
    """How many digits of the finite, non-zero losses are right, how many must be, and which could not be nearer."""
    truth = certified.value
    chosen = np.isfinite(values) & np.isfinite(truth) & (truth != 0.0)
    if not chosen.any():
        return Accuracy(0, 0, None, None)
    error = np.abs(values[chosen] - truth[chosen])
    model = certified.models[GRADES[0]]
    rounded = error <= units_of_last_place(truth[chosen], model) / 2.0
    most = model.precision.bits * math.log10(2.0)
    digits = digits_of(error, truth[chosen], most)
    wanted = digits_of(allowed[chosen][digits.argmin()], truth[chosen][digits.argmin()], most)
    return Accuracy(int(chosen.sum()), int(rounded.sum()), float(digits.min()), float(np.median(digits)), float(wanted))


def _holds(wide: torch.dtype, narrow: torch.dtype) -> bool:
    """Whether a result of this type keeps what the logits' type holds."""
    return wide.is_floating_point and torch.promote_types(wide, narrow) == wide


def _name(values: torch.Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def _equal(left: Answer, right: Answer) -> bool:
    if left.loss is None or right.loss is None or left.loss.shape != right.loss.shape:
        return False
    return torch.equal(left.loss.nan_to_num(), right.loss.nan_to_num())
