"""The verdict on the two losses of one sample, by the same judge as that of whole inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.judging.judge import Question, judge
from xentcli.measuring.case import Case
from xentcli.measuring.facts import Measured, PathRows, RangeFacts, Reduced, StoredFacts
from xentcli.measuring.measure import path_facts, truth_facts
from xentcli.measuring.paths import Computed, Truth, bounds_of, certify, judge_rows
from xentcli.numbers.exactsum import ExactSum
from xentcli.question.policy import Policy
from xentcli.running.engine import EXACT_BITS

if TYPE_CHECKING:
    from xentcli.bounds.model import Bound
    from xentcli.explain.sample import Sample
    from xentcli.explain.trace import Trace
    from xentcli.judging.judge import Verdict


@dataclass(frozen=True, eq=False)
class JudgedSample:
    """The true loss of a sample, and how both paths compare with it."""

    truth: Truth
    verdict: Verdict


def judge_sample(sample: Sample, traced: Trace, digits: int | None) -> JudgedSample:
    """The verdict on the losses that the paths gave the sample in its block."""
    bits = max(EXACT_BITS, 4 * (digits or 0))
    truth = certify(sample.alone, bits)
    library_bound, manual_bound = bounds_of(sample.alone, truth)
    library = _path(traced.library, truth, library_bound)
    manual = _path(traced.manual, truth, manual_bound)
    computed = Computed(sample.alone, traced.probabilities, None, library, manual, truth)
    measured = Measured(
        samples=1,
        ignored=0,  # an ignored sample's loss of 0 is judged like any other
        divisor=ExactSum.of_count(1),
        divisor_size=ExactSum.of_count(1),
        logits=RangeFacts(),
        target=RangeFacts(),
        library=replace(path_facts(library, computed), reduced=Reduced(traced.library)),
        manual=replace(path_facts(manual, computed), reduced=Reduced(traced.manual)),
        truth=truth_facts(truth),
        stored=_stored(sample.alone, bits),
        pair=None,
    )
    question = Question("sum", sample.alone.model.precision, Policy(digits=digits))  # the sum of one loss is that loss
    return JudgedSample(truth, judge(measured, question))


def _path(loss: float, truth: Truth, bound: Bound) -> PathRows:
    values = np.array([loss])
    return PathRows(values, *judge_rows(values, truth, bound, None))


def _stored(alone: Case, bits: int) -> StoredFacts | None:
    """The truth before --dtype."""
    if alone.block.stored is None:
        return None
    return StoredFacts(truth_facts(certify(Case(alone.block.stored, alone.options), bits)), ExactSum.of_count(1))
