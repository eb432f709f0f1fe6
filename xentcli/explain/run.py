"""From a problem and a row to the record that tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from xentcli import __version__
from xentcli.diagnose.answer import noticed
from xentcli.diagnose.summary import FAULTS, who
from xentcli.explain.exact import TRUE_NUMBERS, TrueNumbers, precise, rounded, weigh
from xentcli.explain.gradient import gradient
from xentcli.explain.notes import Told, ignored, notes
from xentcli.explain.sample import Sample, sample_of, worst_row
from xentcli.explain.steps import Lesson, in_ulps
from xentcli.explain.terms import Target, class_sum, target_of
from xentcli.explain.trace import Trace, trace
from xentcli.explain.verdict import JudgedSample, judge_sample
from xentcli.explain.ways import MOST_TERMS, Ways
from xentcli.losses.kernels import check_kernels
from xentcli.measuring.measure import ALL_CLASSES, TOP_CLASSES
from xentcli.question.policy import Policy
from xentcli.records.explanation import ClassNumber, Explanation
from xentcli.records.report import Shards, Tool, is_at_fault
from xentcli.running.passes import Pass
from xentcli.running.reporting import options_info
from xentcli.sources.shards import ShardedArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from xentcli.judging.judge import Verdict
    from xentcli.question.problem import Problem
    from xentcli.records.explanation import Step
    from xentcli.records.progress import Watcher


def explain(
    problem: Problem, row: int | None = None, digits: int | None = None, progress: Watcher | None = None
) -> Explanation:
    """The loss of the sample at `row`, step by step; without a row that of the worst one.

    digits    so many certified digits of the true loss are given at the most
    progress  is told how far the search for the worst sample is

    Errors: UsageError for a row that is not there, InputError where there is none at all.
    """
    check_kernels()
    problem = replace(problem, options=replace(problem.options, reduction="none"))
    chosen = worst_row(problem, Pass("looking for the worst row", problem, progress)) if row is None else row
    return _tell(problem, sample_of(problem, chosen), row is None, digits)


def _tell(problem: Problem, sample: Sample, worst: bool, digits: int | None) -> Explanation:
    block, traced = sample.alone.block, trace(sample)
    judged = judge_sample(sample, traced, digits)
    target = target_of(sample.alone)
    shown = shown_classes(traced, target)
    lesson = _lesson(sample, traced, target, judged, shown)
    steps = lesson.steps()
    label = int(block.target.item()) if block.has_labels else None
    is_ignored = label == problem.options.ignore_index
    summed = None if is_ignored else class_sum(target, traced, shown)
    slopes = None if is_ignored else gradient(sample, lesson.true, target, judged, shown)
    told = summed and slopes and Told(lesson, target.coefficients, judged.verdict.losses, summed, slopes)
    findings = notes(told) if told else (ignored(problem.options.ignore_index),)
    return Explanation(
        tool=Tool("xent", __version__, torch.__version__),
        row=block.first_row,
        index=_index(problem, block.first_row),
        rows=problem.samples,
        worst=worst,
        path=_path(problem, block.first_row),
        label=label,
        ignored=is_ignored,
        classes=problem.classes,
        options=options_info(problem, Policy(reference="exact")),
        steps=steps,
        losses=judged.verdict.losses,
        lost_at={path: _lost_at(steps, path) for path in ("library", "manual")},
        surprisal=None if lesson.label is None else _finite(lesson.true.minus_log(lesson.label)),
        stored=_stored(sample, shown),
        cast=judged.verdict.cast,
        class_sum=summed,
        gradient=slopes,
        findings=findings,
        verdict=judged.verdict.judgement,
        summary="; ".join([_summary(block.first_row, judged.verdict, is_ignored), *noticed(findings)]),
        class_names=_names(problem, [*shown, *([label] if label is not None and not is_ignored else [])]),
    )


def _names(problem: Problem, classes: Sequence[int]) -> dict[str, str] | None:
    """The names of these classes, if they have any."""
    names = problem.class_names
    return {str(index): names[index] for index in sorted(set(classes))} if names else None


def shown_classes(traced: Trace, target: Target) -> list[int]:
    """All of a few classes; of more the most probable ones, and the one that the target makes most of."""
    classes = len(target.shares)
    if classes <= ALL_CLASSES:
        return list(range(classes))
    probable = traced.probabilities.topk(TOP_CLASSES).indices.tolist()
    wanted = max(range(classes), key=target.shares.__getitem__)
    return sorted({*probable, *([wanted] if target.shares[wanted] > 0 else [])})


def _lesson(sample: Sample, traced: Trace, target: Target, judged: JudgedSample, shown: Sequence[int]) -> Lesson:
    loss = float(judged.truth.rows.loss[0])
    context = precise(loss)
    given = sample.alone.block.given
    true = TRUE_NUMBERS[given](traced.logits.tolist(), context)
    counted = {index: rounded(each, context) for index, each in enumerate(target.coefficients) if each}
    exact = weigh(counted, true.minus_log, context)
    followed = 0 < len(counted) <= MOST_TERMS and exact.is_finite()
    label = target.shares.index(1.0) if sample.alone.block.has_labels and 1.0 in target.shares else None
    return Lesson(
        trace=traced,
        true=true,
        loss=exact,
        ways=Ways(true, counted, traced, given) if followed else None,
        model=sample.alone.model,
        form=sample.alone.form,
        label=label,
        shown=shown,
    )


def _lost_at(steps: Iterable[Step], path: str) -> str | None:
    """The name of the step that adds most to a path's error; an infinity or NaN comes first."""
    added = [(step.name, getattr(step, path).adds) for step in steps if getattr(step, path) is not None]
    known = [(name, abs(nats)) for name, nats in added if nats is not None]
    name, most = max(known, key=lambda each: each[1], default=("", 0.0))
    return name if most > 0.0 else None


def _stored(sample: Sample, shown: Sequence[int]) -> tuple[ClassNumber, ...]:
    """The shown logits before --dtype, each with what the cast took from it in units of the last place."""
    before = sample.alone.block.stored
    if before is None:
        return ()
    precision = sample.alone.model.precision
    true = TrueNumbers(before.logits.reshape(-1).tolist(), precise(1.0))
    cast = sample.alone.block.logits.reshape(-1).tolist()
    return tuple(
        ClassNumber(
            index, true.logits[index], str(true.logit(index)), in_ulps(cast[index], true.logit(index), precision)
        )
        for index in shown
    )


def _path(problem: Problem, row: int) -> str:
    """The file of the logits; where there are several, with the one that holds the row."""
    logits = problem.logits
    if not isinstance(logits, ShardedArray):
        return logits.path
    (shard,) = Shards.holding([row], logits.shards(problem.samples)).named
    return f"{logits.path} (row {row - shard.first_row} of {shard.path})"


def _index(problem: Problem, row: int) -> tuple[int, ...]:
    """Where the row stands over every axis but the class axis, in C order."""
    index: list[int] = []
    for size in reversed(problem.sample_shape):
        row, place = divmod(row, size)
        index.insert(0, place)
    return tuple(index)


def _summary(row: int, judged: Verdict, is_ignored: bool) -> str:
    """The verdict in one sentence."""
    losses = judged.losses
    if is_ignored:
        return f"row {row} is ignored: its loss is 0 by both paths, and does not count"
    paths = {"library": losses.library, "manual": losses.manual}
    odd = [f"{name} {FAULTS[path.status]}" for name, path in paths.items() if path.status not in {"within", None}]
    right = [name for name, path in paths.items() if path.status == "within"]
    if any(is_at_fault(name, path.status) for name, path in paths.items()):
        return f"row {row}: {'; '.join([*odd, *(f'{name} is right' for name in right)])}"
    if judged.truth is not None and not judged.truth.is_enclosed:
        return f"row {row}: the true loss is not enclosed: 16 bits cut off a probability that it needs"
    truth = f" {float(losses.reference.decimal):.8g}" if losses.reference and losses.reference.decimal else ""
    return f"row {row}: {'; '.join([f'{who(right)} within rounding of the true loss{truth}', *odd])}"


def _finite(number: Decimal) -> float | None:
    return float(number) if number.is_finite() else None
