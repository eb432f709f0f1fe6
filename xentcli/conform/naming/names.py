"""The names that an answer may have, and which of them explain it within its bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from xentcli.conform.cases import reports
from xentcli.conform.judging.call import Call
from xentcli.conform.judging.conventions import CONVENTIONS
from xentcli.conform.judging.fitting import fits, is_nearer, loss_fits, loss_tells, tells, tolerance
from xentcli.conform.judging.hypothesis import Hypothesis, Prediction, predict
from xentcli.conform.naming.arithmetic import ARITHMETIC
from xentcli.conform.naming.gradients import BACKWARDS, Backward
from xentcli.conform.naming.narrow import NARROWER, code, narrow_codes, narrow_tells
from xentcli.conform.naming.options import OPTIONS, REFUSED
from xentcli.measuring.case import floats
from xentcli.records.conformance import GRADES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from xentcli.conform.asking.implementation import Answer
    from xentcli.conform.judging.certified import Certified, Floats
    from xentcli.conform.judging.judge import Question
    from xentcli.records.conformance import CaseResult

MOST_ENTRIES = 1 << 19  # logits beyond which an answer has no name
SMALL = 1 << 14  # logits beyond which the pieces of a case are not kept
LARGE = 1 << 18  # beyond which it is not asked whether it could tell a name
KEPT = 1 << 16  # pairs of a question and a name
CALLS = 512  # questions in pieces that are kept
IGNORED_GRADIENT = "gradient-of-ignored"
CHEAP = "log-sum-exp-less-logit"


@dataclass(frozen=True)
class Name:
    """What a cause is called, and says."""

    statement: str
    why: str = ""
    known: tuple[str, ...] = ()


MISTAKES: dict[str, Hypothesis] = {**CONVENTIONS, **OPTIONS, **ARITHMETIC}


NARROW = {code(narrow, what): (narrow, what) for narrow in NARROWER["float64"] for what in ("loss", "gradient")}


def _narrow_name(narrow: str, what: str) -> Name:
    wide = "float64 logits" if narrow == "float32" else "wider logits"
    subject = f"the gradient of {wide} is" if what == "gradient" else f"{wide} are"
    return Name(f"{subject} computed in {narrow}", f"every number of the answer is one of {narrow}")


NAMES: dict[str, Name] = {
    **{name: _narrow_name(*each) for name, each in NARROW.items()},
    **{each.code: Name(each.statement, each.why, each.known) for each in MISTAKES.values()},
    **{each.code: Name(each.statement, each.why, each.known) for each in BACKWARDS.values()},
    **{name: Name(statement) for name, (statement, _) in REFUSED.items() if statement},
    IGNORED_GRADIENT: Name("ignored rows have a gradient", "theirs is 0, whatever they hold"),
    CHEAP: Name("the loss is logsumexp(x) - x[y]", "a common offset takes its digits", reports.OFFSET),
}

FORMS = (  # of what is said where no number is wrong: code, words, and what the report says of it
    ("in-place", r"it writes to its inputs: (.+)", Name("it writes to its inputs: {}", "", reports.OVERWRITTEN)),
    ("not-repeatable", r"the same call gives other bits", Name("the same call gives other bits when it is repeated")),
    ("out-of-range", r"(a label out of range) is not refused", Name("{} is not refused", "", reports.OUT_OF_RANGE)),
    ("target-shape", r"(a target of shape) .* is not refused", Name("{} that does not fit is not refused")),
    ("dtype", r"the (\w+ is \w+, of logits that are \w+)", Name("the {}")),
    ("shape", r"the (\w+) has shape", Name("the {} has another shape than torch's")),
    ("memory", r".*(takes more than \S+ GiB)", Name("it {}")),
    ("hangs", r".*(hangs: no answer)", Name("it hangs: no answer in time")),
    ("crash", r"(?:after .*, though not alone, it )?(ends with (?:exit code|signal) \w+.*)", Name("it {}")),
    ("grade", r"(.* is not good enough for --grade .*)", Name("{}")),
)


def name_of(text: str) -> Name:
    """What a name says; a form's is its code, a colon, and what was found."""
    return NAMES[text] if text in NAMES else _form_name(*text.split(":", 1))


def _form_name(form: str, found: str = "") -> Name:
    known = next((name for code, _, name in FORMS if code == form), None)
    return Name(known.statement.format(found), known.why, known.known) if known else Name(found)


def form_of(reason: str) -> str:
    """The name of an answer that is wrong before, or whatever, its numbers are; nothing if it is the numbers."""
    for form, words, _ in FORMS:
        if found := re.match(words, reason):
            return f"{form}:{found[1] if found.groups() else ''}"
    return f"error:{_without_numbers(reason)}" if not reason.startswith(("the loss is", "the gradient is")) else ""


def _without_numbers(said: str) -> str:
    """The same error at another place, of other numbers, is the same."""
    return re.sub(r"0x[0-9a-f]+|-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", "N", said)


@lru_cache(maxsize=CALLS)
def _kept(question: Question) -> Call:
    return Call(question.case, question.inputs)


def _call(question: Question) -> Call:
    is_small = question.inputs.logits.numel() <= SMALL
    return _kept(question) if is_small else Call(question.case, question.inputs)


def names_of(question: Question, answer: Answer, result: CaseResult) -> tuple[str, ...]:
    """Everything that explains a wrong answer; nothing where nothing does."""
    if answer.kind == "error" and question.certified is not None:
        refused = (name for name, (_, refuses) in REFUSED.items() if refuses(_call(question)))
        return (*refused, form_of(result.reason))
    if result.worst is None:
        return tuple(filter(None, (form_of(result.reason),)))
    return tuple(dict.fromkeys((*result.names, *_of_numbers(question, answer, result.worst.what))))


def is_named(name: str, question: Question, answer: Answer, result: CaseResult) -> bool:
    """Whether an answer has a name; of a wrong loss no more is computed than that takes."""
    if (
        result.worst
        and result.worst.what == "loss"
        and name in MISTAKES
        and question.certified
        and answer.loss is not None
    ):
        prediction = _prediction(question, MISTAKES[name])
        return prediction is not None and _fits(question, question.certified, floats(answer.loss), prediction)
    return name in names_of(question, answer, result)


def _fits(question: Question, certified: Certified, values: Floats, prediction: Prediction) -> bool:
    return loss_fits(values, prediction, certified.value, certified.allowed[GRADES[-1]], question.inputs.dtype)


def _of_numbers(question: Question, answer: Answer, what: str) -> Iterator[str]:
    """What explains a loss or a gradient that is wrong."""
    if question.certified is None or question.inputs.logits.numel() > MOST_ENTRIES:
        return
    if what == "loss" and answer.loss is not None:
        yield from _of_loss(question, floats(answer.loss))
    if what == "gradient" and answer.gradient is not None and not question.case.rows:
        yield from _of_gradient(question, answer.gradient)


@lru_cache(maxsize=KEPT)
def could_tell(question: Question, name: str, *, large: bool = False) -> bool:
    """Whether an implementation with this fault cannot pass the case; a large case is asked only on demand."""
    most = MOST_ENTRIES if large else LARGE
    if question.certified is None or name not in NAMES or question.inputs.logits.numel() > most:
        return False
    if name in SELDOM:
        return large and SELDOM[name](question)
    if name in NARROW:
        narrow, what = NARROW[name]
        return narrow in NARROWER.get(question.inputs.dtype, ()) and narrow_tells(question, narrow, what)
    if name in BACKWARDS:
        return _slope_tells(question, _slope(question, BACKWARDS[name]))
    refuses = name in REFUSED and REFUSED[name][1](_call(question))
    return refuses or (name in MISTAKES and _mistake_tells(question, question.certified, MISTAKES[name]))


def _mistake_tells(question: Question, certified: Certified, mistake: Hypothesis) -> bool:
    """By the loss that it makes, or by its gradient."""
    prediction = _prediction(question, mistake)
    if prediction is None:
        return False
    by_loss = loss_tells(prediction, certified.value, certified.allowed[GRADES[-1]], question.inputs.dtype)
    return by_loss or _slope_tells(question, prediction.slope)


SELDOM: dict[str, Callable[[Question], bool]] = {  # names that a case bears out, and never contradicts
    IGNORED_GRADIENT: lambda question: not bool(_call(question).counted.all()),
    CHEAP: lambda question: question.case.strict,
}


def _of_loss(question: Question, values: Floats) -> Iterator[str]:
    certified = question.certified
    assert certified is not None
    allowed = certified.allowed[GRADES[-1]]
    yield from narrow_codes(question, values.reshape(certified.value.shape), "loss")
    if question.case.strict and (np.abs(values - certified.value) <= allowed + certified.radius).all():
        yield CHEAP
    for name, prediction in _predictions(question):
        if _fits(question, certified, values, prediction):
            yield name


def _of_gradient(question: Question, given: torch.Tensor) -> Iterator[str]:
    slope = question.slope
    assert slope is not None
    values = slope.laid_out(given, question.inputs.block.class_dim)
    yield from narrow_codes(question, values, "gradient")
    others = ((name, each.slope) for name, each in _predictions(question) if _passes(question, each))
    for name, other in (*_slopes(question), *others):
        if other is None:
            continue
        allowed = slope.allowed[GRADES[-1]]
        room = tolerance(other, slope.value, allowed, question.inputs.dtype)
        if fits(values, other, other, room) and is_nearer(values, other, other, slope.value, allowed):
            yield name
    if question.inputs.has_labels and question.is_of_logits:
        counted = _call(question).counted.numpy()
        room = tolerance(slope.value, slope.value, slope.allowed[GRADES[-1]], question.inputs.dtype)
        if not counted.all() and fits(values[counted], slope.value[counted], slope.value[counted], room[counted]):
            yield IGNORED_GRADIENT


def _passes(question: Question, prediction: Prediction) -> bool:
    """Whether its loss would pass, as that of an answer does of which the gradient is wrong."""
    certified = question.certified
    assert certified is not None
    return not loss_tells(prediction, certified.value, certified.allowed[GRADES[-1]], question.inputs.dtype)


def _slope_tells(question: Question, other: Floats | None) -> bool:
    slope = question.slope
    if other is None or slope is None or other.shape != slope.value.shape:
        return False
    room = tolerance(other, slope.value, slope.allowed[GRADES[-1]], question.inputs.dtype)
    return tells(other, other, slope.value, room)


def _predictions(question: Question) -> Iterator[tuple[str, Prediction]]:
    """What every mistake says of a case, where it says anything."""
    for name, each in MISTAKES.items():
        prediction = _prediction(question, each)
        if prediction is not None:
            yield name, prediction


def _prediction(question: Question, mistake: Hypothesis) -> Prediction | None:
    return predict(mistake, _call(question), slope=question.slope is not None and question.is_of_logits)


def _slopes(question: Question) -> Iterator[tuple[str, Floats | None]]:
    """What every mistake of a backward says of a case."""
    return ((name, _slope(question, each)) for name, each in BACKWARDS.items())


def _slope(question: Question, mistake: Backward) -> Floats | None:
    if question.slope is None or question.case.rows or question.inputs.variable not in mistake.of:
        return None
    slope = mistake.slope(_call(question))
    return None if slope is None else np.asarray(slope.detach().numpy())
