"""Inputs, facts and verdict as one report."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import torch

from xentcli import __version__
from xentcli.diagnose.lint import lint
from xentcli.diagnose.summary import summarize
from xentcli.diagnose.verdict import explain_verdict
from xentcli.errors import without_secrets
from xentcli.judging.judge import SMALL_INPUT_DIGITS
from xentcli.judging.metrics import metrics_of
from xentcli.judging.picturing import pictures_of
from xentcli.judging.scoring import scores_of_mass, scores_of_order, scores_of_rows
from xentcli.measuring.each_row import EachRow
from xentcli.numbers.exactsum import nearest_float
from xentcli.records.metrics import Metrics
from xentcli.records.report import (
    QUANTISED,
    ArrayInfo,
    Counts,
    Expectation,
    HeadInfo,
    Input,
    OptionsInfo,
    Report,
    RowSums,
    Shard,
    Shards,
    Tool,
    WorstLoss,
)
from xentcli.records.samples import Samples, shown_of
from xentcli.sources.shards import ShardedArray

if TYPE_CHECKING:
    from xentcli.diagnose.verdict import Judged
    from xentcli.judging.judge import Total, Verdict
    from xentcli.measuring.facts import Measured, RangeFacts
    from xentcli.numbers.arrays import Array
    from xentcli.numbers.checksum import Checksum
    from xentcli.question.claims import Claim
    from xentcli.question.policy import Policy
    from xentcli.question.problem import Problem
    from xentcli.records.pictures import Pictures
    from xentcli.records.report import PartInfo, PathResult

FEWEST_DIGITS = 8  # of the true value beside a claim


@dataclass(frozen=True)
class Source:
    """An input without its numbers."""

    path: str
    format: str
    shape: tuple[int, ...]
    dtype: str
    shards: tuple[Shard, ...] | None  # all of them, where it is several files
    notes: tuple[str, ...] | None = None  # what a table says beside its numbers

    @classmethod
    def of(cls, array: Array, samples: int) -> Source:
        shards = array.shards(samples) if isinstance(array, ShardedArray) else None
        if shards is not None:
            shards = tuple(replace(shard, path=without_secrets(shard.path)) for shard in shards)
        return cls(
            without_secrets(array.path), array.format, array.shape, array.dtype, shards, array.table.notes or None
        )

    @property
    def described(self) -> str:
        """Its shape, for a message."""
        return " × ".join(map(str, self.shape)) or "()"

    def info(self, values: RangeFacts, checksum: Checksum | None = None) -> ArrayInfo:
        crc32 = None if checksum is None else f"{checksum.crc:08x}"
        return ArrayInfo(self.path, self.format, self.shape, self.dtype, values.record(), notes=self.notes, crc32=crc32)


@dataclass(frozen=True)
class About:
    """What a report is about: the inputs and the options."""

    logits: Source
    labels: Source
    kind: Literal["labels", "probabilities"]
    options: OptionsInfo
    class_names: tuple[str, ...] | None = None
    head: HeadInfo | None = None  # of hidden states, which the logits' place is taken by
    bias: HeadInfo | None = None

    @classmethod
    def of(cls, problem: Problem, policy: Policy, seed: int | None = None) -> About:
        return cls(
            logits=Source.of(problem.given, problem.samples),
            labels=Source.of(problem.target, problem.samples),
            kind="labels" if problem.has_labels else "probabilities",
            options=options_info(problem, policy, seed),
            class_names=problem.class_names or None,
            **_head(problem),
        )

    @property
    def classes(self) -> int:
        return self.logits.shape[self.options.class_axis] if self.head is None else self.head.shape[0]

    @property
    def samples(self) -> int:
        """Those of the whole input."""
        axis, shape = self.options.class_axis, self.logits.shape
        return math.prod(shape[:axis] + shape[axis + 1 :])


def _head(problem: Problem) -> dict[str, HeadInfo]:
    """What there is to tell of the head that makes the logits, and of its bias."""
    if problem.product is None:
        return {}
    head = problem.product.head
    named = zip(("head", "bias"), (head.weight, head.bias), head.digests, strict=True)
    return {
        name: _head_info(array, digest) for name, array, digest in named if array is not None and digest is not None
    }


def _head_info(array: Array, digest: str) -> HeadInfo:
    return HeadInfo(without_secrets(array.path), array.format, array.shape, array.dtype, digest)


def make_report(about: About, judged: Judged, *, tool: Tool, command: str, part: PartInfo | None = None) -> Report:
    """The report on the loss that every renderer reads; `answered` gives a claim and the warnings their say."""
    judged = replace(judged, as_stored=about.options.is_of_stored_logits and about.head is None)
    measured, verdict = judged.measured, judged.verdict
    metrics, pictures = _metrics_and_pictures(measured, about.classes)
    sums = measured.checksums if judged.question.policy.draws else None
    denominator = verdict.denominator
    report = Report(
        tool=tool,
        command=command,
        input=Input(
            about.logits.info(measured.logits, sums.logits if sums else None),
            about.labels.info(measured.target, sums.target if sums else None),
            about.kind,
            about.class_names,
            about.head,
            about.bias,
        ),
        options=about.options,
        counts=Counts(
            samples=measured.samples,
            ignored=measured.ignored,
            classes=about.classes,
            denominator=None if denominator is None else nearest_float(denominator),
        ),
        losses=verdict.losses,
        discrepancy=verdict.discrepancy,
        cast=verdict.cast,
        findings=explain_verdict(judged) + lint(judged, about.classes),
        expectation=_expectation(judged.question.policy, verdict),
        samples=Samples(measured.tables, measured.shown) if measured.tables else measured.shown,
        streamed=verdict.losses.library.streamed or verdict.losses.manual.streamed,
        verdict=verdict.judgement,
        summary=summarize(judged, quantised=about.logits.format == QUANTISED),
        part=part,
        row_sums=_row_sums(measured),
        metrics=metrics,
        pictures=pictures,
        worst=_worst(measured),
    )
    return _with_shards(report, about)


def _metrics_and_pictures(measured: Measured, classes: int) -> tuple[Metrics | None, Pictures | None]:
    found = metrics_of(measured)
    if found is None or measured.predictions is None:
        return None if found is None else Metrics(found), None
    (rows,) = measured.each_row or (EachRow.of(measured.ordered, classes),)
    with ThreadPoolExecutor(1) as beside:  # both orders at once
        of_mass = beside.submit(scores_of_mass, rows, measured.predictions)
        pictures = pictures_of(measured, rows, classes)
        found |= scores_of_rows(measured.predictions, measured.counted, found.get("nll"))
        of_losses = scores_of_order(rows, measured.predictions)
        return Metrics(found | of_mass.result() | of_losses), pictures


def _worst(measured: Measured) -> tuple[WorstLoss, ...] | None:
    """As many as were asked for; a few where nobody asks."""
    found = measured.predictions or measured.scores
    return None if found is None else found.worst


def _row_sums(measured: Measured) -> RowSums | None:
    found = measured.row_sums
    if found is None or found.row < 0:
        return None
    return RowSums(abs(found.total - 1.0), found.lower, found.upper, found.row, found.total)


def _with_shards(report: Report, about: About) -> Report:
    """With the files that hold the rows which the report names."""
    rows = _rows_named(report)
    logits, labels = (
        info if source.shards is None else replace(info, shards=Shards.holding(rows, source.shards))
        for info, source in ((report.input.logits, about.logits), (report.input.labels, about.labels))
    )
    return replace(report, input=replace(report.input, logits=logits, labels=labels))


def _rows_named(report: Report) -> set[int]:
    """Every row that its tables and sentences say something of."""
    rows = {sample.row for sample in shown_of(report.samples)}
    rows.update(row for finding in report.findings for row in finding.rows)
    rows.update(each.row for each in report.worst or ())
    worst = (report.losses.library.worst, report.losses.manual.worst, report.discrepancy.worst)
    return rows | {each.row for each in worst if each is not None}


def this_tool() -> Tool:
    """What makes reports here."""
    return Tool("xent", __version__, torch.__version__)


def _expectation(policy: Policy, verdict: Verdict) -> Expectation | None:
    claim, tolerance, truth = policy.expect, policy.tolerance, verdict.truth
    if claim is None or truth is None:
        return None
    holds = truth.holds(claim, tolerance)
    of_library = not holds and tolerance is None and _is_shown(claim, verdict.losses.library)
    true = truth.digits(FEWEST_DIGITS) if holds else _apart(truth, claim)
    return Expectation(claim.text, True if of_library else holds, true, of_library)


def _apart(truth: Total, claim: Claim) -> str | None:
    """The true value in the fewest digits that tell it from the claim, as far as so many are certain."""
    texts = [truth.digits(digits) for digits in range(FEWEST_DIGITS, SMALL_INPUT_DIGITS + 1)]
    return next((text for text in texts if text is None or claim.is_apart(Decimal(text))), texts[-1])


def _is_shown(claim: Claim, library: PathResult) -> bool:
    """Whether the claim is how torch prints its own result, which is right but for its rounding."""
    return library.status == "within" and library.value is not None and claim.shows(library.value)


def options_info(problem: Problem, policy: Policy, seed: int | None = None) -> OptionsInfo:
    """The options as they took effect."""
    options, tolerance = problem.options, policy.tolerance
    return OptionsInfo(
        reduction=options.reduction,
        ignore_index=options.ignore_index,
        label_smoothing=options.label_smoothing,
        weight=without_secrets(options.weight.path) if options.weight else None,
        class_axis=problem.class_axis if problem.product is None else problem.given.ndim - 1,
        dtype=problem.dtype,
        device=options.device,
        reference=policy.reference,
        rtol=tolerance.rtol if tolerance else None,
        atol=tolerance.atol if tolerance else None,
        seed=seed,
        input=options.input,
        binary=options.binary,
        pos_weight=options.pos_weight,
        shift=options.shift,
        temperature=options.temperature,
        softcap=options.softcap,
        z_loss=options.z_loss,
    )
