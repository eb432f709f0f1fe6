"""Reports as runs make them, one for each thing that a renderer has to say; the same numbers on every machine."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.answer import answered
from xentcli.records.report import (
    ArrayInfo,
    Cast,
    Cause,
    ClassProbability,
    Counts,
    Discrepancy,
    Enclosure,
    Expectation,
    Finding,
    Input,
    Losses,
    Match,
    OptionsInfo,
    PathResult,
    Range,
    Report,
    Sample,
    Tool,
    Worst,
    WorstLoss,
    WorstPair,
)
from xentcli.records.samples import FIELDS, Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

PROBABILITIES = (  # [4 rows, 10 classes]
    (0.0214, 0.0583, 0.1585, 0.4309, 0.0964, 0.0131, 0.0262, 0.0533, 0.1073, 0.0346),
    (0.00002, 0.00005, 0.0001, 0.00003, 0.9996, 0.00004, 0.00006, 0.00005, 0.00002, 0.00003),
    (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1),
    (0.9, 0.05, 0.01, 0.01, 0.005, 0.005, 0.005, 0.005, 0.005, 0.005),
)
LABELS = (3, 4, 7, 1)


def float32(value: float) -> float:
    """The nearest float32, widened."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def next_float32(value: float) -> float:
    """The float32 after a positive one."""
    (bits,) = struct.unpack("I", struct.pack("f", value))
    return float(struct.unpack("f", struct.pack("I", bits + 1))[0])


def enclosed(value: float) -> tuple[float, float]:
    """Two ends round a true value that is known to twelve digits here, as wide as the certified pass makes them."""
    middle = float(f"{value:.12g}")
    return middle * (1 - 4e-16), middle * (1 + 4e-16)


def sample(row: int, label: int | None, probabilities: tuple[float, ...], *, shown: int | None = None) -> Sample:
    """A row whose library loss is the true one, rounded to float32, and whose manual loss is its neighbour."""
    ranked = sorted(enumerate(probabilities), key=lambda item: -item[1])[:shown]
    chance = probabilities[label or 0]
    lower, upper = enclosed(-math.log(chance))
    library = float32(lower)
    return Sample(
        row=row,
        label=label,
        ignored=False,
        probability=None if label is None else chance,
        library=library,
        manual=next_float32(library) if row % 2 else library,
        lower=lower,
        upper=upper,
        probabilities=tuple(ClassProbability(*item) for item in ranked),
    )


def agreeing() -> Report:
    """Four float32 samples of ten classes; everything is as it should be."""
    samples = tuple(sample(*each) for each in zip(range(4), LABELS, PROBABILITIES, strict=True))
    lower, upper = enclosed(-sum(math.log(row[label]) for row, label in zip(PROBABILITIES, LABELS, strict=True)) / 4)
    library, manual = float32(lower), next_float32(float32(lower))
    return Report(
        tool=Tool("xent", "0.1.0", "2.13.0"),
        command="xent compute logits.npy labels.npy",
        input=Input(
            logits=ArrayInfo("logits.npy", "npy", (4, 10), "float32", Range(-2.1152, 5.1972246)),
            labels=ArrayInfo("labels.npy", "npy", (4,), "int64", Range(1.0, 7.0)),
            kind="labels",
        ),
        options=OptionsInfo("mean", -100, 0.0, None, 1, "float32", "cpu", "fast"),
        counts=Counts(samples=4, ignored=0, classes=10, denominator=4.0),
        losses=Losses(
            library=PathResult(library, 3.1e-8, 9.537e-7, 0.26, "within", {"within": 4}),
            manual=PathResult(manual, 8.8e-8, 1.19e-6, 0.74, "within", {"within": 4}),
            reference=Enclosure(lower, upper, "1.53514917023"),
        ),
        discrepancy=Discrepancy(
            manual - library, 7.8e-8, 1.0, 2.1e-6, WorstPair(3, samples[3].library, samples[3].manual, samples[3].lower)
        ),
        cast=None,
        findings=(),
        expectation=None,
        samples=samples,
        streamed=False,
        verdict="holds",
        summary="both paths are within their rounding bounds of the true loss",
        worst=(
            WorstLoss(3, 1, -math.log(0.05), 0.05, 0, 0.9, -0.85),
            WorstLoss(2, 7, -math.log(0.1), 0.1, 0, 0.1, 0.0),
        ),
    )


def confidently_wrong() -> Report:
    """Two of 4,096 rows are so confidently wrong that softmax gives their label 0, and the manual loss is infinite."""
    report = agreeing()
    chances = (5e-5, 0.99985, 3e-5, 2e-5, 1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 0.0)
    wrong = replace(
        sample(17, 1, chances), label=9, probability=0.0, library=120.0, manual=math.inf, lower=120.0, upper=120.0
    )
    also = replace(wrong, row=203, library=104.25, lower=104.25, upper=104.25)
    right = sample(5, 0, PROBABILITIES[3])
    underflow = Finding(
        "softmax-underflow",
        "warning",
        "softmax underflows in 2 rows: their label's probability is below e^-103.28, the smallest float32; the true "
        "loss is finite, and library has it",
        (17, 203),
        "take log_softmax, which never makes the probability; see `xent explain logits.npy labels.npy --row 17`",
    )
    return replace(
        report,
        input=replace(
            report.input,
            logits=replace(report.input.logits, shape=(4096, 10), range=Range(-60.0, 60.0)),
            labels=replace(report.input.labels, shape=(4096,), range=Range(0.0, 9.0)),
        ),
        counts=Counts(4096, 0, 10, 4096.0),
        losses=Losses(
            PathResult(2.3840785026550293, 1.1e-7, 3.8e-6, 0.46, "within", {"within": 4096}),
            PathResult(
                math.inf,
                math.inf,
                4.1e-6,
                math.inf,
                "underflow",
                {"within": 4094, "underflow": 2},
                Worst(17, math.inf, math.inf, 7.6e-6),
            ),
            Enclosure(2.3840786122, 2.3840786123, "2.384078612"),
        ),
        discrepancy=Discrepancy(math.inf, math.inf, math.inf, 7.9e-6, WorstPair(17, 120.0, math.inf, 120.0)),
        findings=(underflow,),
        samples=(right, wrong, also),
        worst=(WorstLoss(17, 9, 120.0, 7.7e-53, 1, 0.99985, -0.99985),),
        verdict="holds",
        summary="library is within its rounding bound of the true loss; manual is infinite in 2 of 4,096 rows, where "
        "softmax underflows; 1 warning: softmax-underflow",
    )


def unreduced() -> Report:
    """Reduction none: losses of the samples, and no total; one sample is ignored."""
    report = agreeing()
    ignored = replace(report.samples[2], label=-100, ignored=True, probability=None, library=0.0, manual=0.0)
    samples = (*report.samples[:2], ignored, report.samples[3])
    worst = Worst(3, samples[3].manual, 2.1e-7, 1.6e-6)
    losses = Losses(
        PathResult(None, None, None, None, "within", {"within": 3}, Worst(0, samples[0].library, 3e-8, 4.7e-7)),
        PathResult(None, None, None, None, "within", {"within": 3}, worst),
        Enclosure(None, None),
    )
    return replace(
        report,
        worst=report.worst and report.worst[:1],
        options=replace(report.options, reduction="none"),
        counts=Counts(4, 1, 10, None),
        losses=losses,
        samples=every(samples),
    )


def every(samples: Sequence[Sample]) -> Samples:
    """The same samples as a report without a reduction has them."""
    known = [name for name in FIELDS if any(getattr(one, name) is not None for one in samples)]
    rows = [tuple(math.nan if (cell := getattr(one, name)) is None else cell for name in known) for one in samples]
    return Samples((np.array(rows, [(name, FIELDS[name]) for name in known]),), samples)


def unreferenced() -> Report:
    """The reference was off: the two paths are compared with each other alone."""
    report = agreeing()
    library, manual = (
        PathResult(path.value, None, None, None, None, {}) for path in (report.losses.library, report.losses.manual)
    )
    worst = replace(report.discrepancy.worst, reference=None) if report.discrepancy.worst else None
    return replace(
        report,
        worst=None,
        options=replace(report.options, reference="off"),
        losses=Losses(library, manual, None),
        discrepancy=replace(report.discrepancy, worst=worst),
        samples=tuple(replace(one, lower=None, upper=None) for one in report.samples),
        summary="the two paths are as close as their rounding bounds allow",
    )


def narrowed() -> Report:
    """float32 logits, cast to bfloat16: the cast's effect is told apart from the error of computing."""
    report = agreeing()
    return replace(
        report,
        options=replace(report.options, dtype="bfloat16", label_smoothing=0.1, seed=7),
        losses=Losses(
            PathResult(1.53125, 0.0051, 0.03125, 0.65, "within", {"within": 4}),
            PathResult(1.546875, 0.0105, 0.05, 1.3, "within", {"within": 4}),
            Enclosure(1.5363750000000001, 1.536375000000001, None),
        ),
        discrepancy=Discrepancy(0.015625, 0.0102, 2.0, 0.08, WorstPair(3, 2.984375, 3.0, 2.99573)),
        cast=Cast(0.000809919, 0.0008099189, 0.0008099191),
        samples=tuple(replace(one, library=round(one.library * 64) / 64, manual=1.5) for one in report.samples[:2]),
    )


def vocabulary() -> Report:
    """Language-model logits of 50,257 classes, of which the five most probable ones are known; classes are weighed."""
    report = agreeing()
    top = ((262, 0.3127), (290, 0.1004), (318, 0.0523), (11, 0.0311), (50256, 4e-5))
    ranked = tuple(ClassProbability(*one) for one in top)
    rows = [
        replace(sample(row, 1, (0.5, 0.0032)), label=label, probabilities=ranked) for row, label in ((9, 15), (40, 1))
    ]
    found = replace(rows[0], row=441, label=262, probability=0.3127)
    return replace(
        report,
        worst=None,
        input=replace(
            report.input,
            logits=ArrayInfo(
                "run 12/logits.safetensors", "safetensors", (1, 446, 50257), "float32", Range(-31.5, 17.25)
            ),
            labels=ArrayInfo("run 12/labels.csv", "csv", (1, 446), "int64", Range(11.0, 50256.0)),
        ),
        options=replace(report.options, class_axis=-1, weight="weights.npy"),
        counts=Counts(446, 0, 50257, 401.25),
        findings=(
            Finding("long-tail", "info", "the label is not among the 1,000 most probable classes", (*range(0, 60, 4),)),
        ),
        samples=(*rows, found),
    )


def disproved() -> Report:
    """A claimed value that is the sum of the losses where their mean was meant."""
    match = Match("digits", 0.0004, 47)
    cause = Cause("sum-instead-of-mean", "the sum of the 4 losses: 6.1423", 6.1423, "divide by them", (), match)
    return answered(replace(agreeing(), expectation=Expectation("6.1423", False, "1.5351492", causes=(cause,))))


def unexplained() -> Report:
    """A claimed value that no known mistake gives."""
    return answered(replace(agreeing(), expectation=Expectation("3.2", False, "1.5351492")))


def proved() -> Report:
    """A claimed value that is right."""
    return answered(replace(agreeing(), expectation=Expectation("1.536", True, "1.5351492")))


def not_a_number() -> Report:
    """NaN and infinite logits; the label's file has a name that steers terminals and breaks XML."""
    report = agreeing()
    nan, every = math.nan, {"nan": 1, "within": 3}
    path = PathResult(nan, nan, 1e-6, nan, "nan", every, Worst(2, nan, nan, None))
    lost = replace(report.samples[2], library=nan, manual=nan, lower=nan, upper=nan, probability=nan)
    lost = replace(lost, probabilities=tuple(replace(one, probability=nan) for one in lost.probabilities))
    hostile = "a|b`c*\x1b[31m<&\n%,:\x00\udcff.npy"
    return replace(
        report,
        worst=None,
        input=replace(
            report.input,
            logits=replace(report.input.logits, range=Range(None, None, 1234, 2)),
            labels=replace(report.input.labels, path=hostile),
        ),
        losses=Losses(path, path, Enclosure(nan, nan)),
        discrepancy=Discrepancy(nan, nan, nan, None, WorstPair(2, nan, nan, nan)),
        findings=(Finding("nan-logits", "error", f"logits of {hostile} are NaN in 1 row", (2,), "look at the row"),),
        samples=(*report.samples[:2], lost),
        verdict="fails",
        summary="both paths are NaN",
    )


def undecided() -> Report:
    """The enclosure is too wide to tell whether a path is within its bound, or whether the claim holds."""
    report = agreeing()
    losses = replace(report.losses, reference=Enclosure(1.5, 1.6))
    return replace(
        report,
        losses=losses,
        expectation=Expectation("1.55", holds=None),
        findings=(Finding("wide", "warning", "the enclosure is wide"),),
        verdict="undecided",
        summary="the enclosure is too wide to judge",
    )


def streamed() -> Report:
    """An input of many blocks: its totals are float64, though its samples are float32; most rows are not shown."""
    report = agreeing()
    library = replace(report.losses.library, value=1.5355650812345678, streamed=True)
    return replace(
        report,
        losses=replace(report.losses, library=library, manual=replace(library, value=1.5355650912345679)),
        counts=Counts(1_000_000, 123_456, 10, 876_544.0),
        options=replace(report.options, reduction="sum"),
        streamed=True,
    )


def double() -> Report:
    """float64 samples of two classes, whose losses have the most digits there are."""
    report = agreeing()
    chances = (0.1, 1 - 2**-53, 1e-300)
    samples = tuple(sample(row, 1, (1 - chance, chance)) for row, chance in enumerate(chances))
    ends = [enclosed(-math.log(chance)) for chance in chances]
    exact = (
        replace(one, library=lower, manual=math.nextafter(upper, math.inf))
        for one, (lower, upper) in zip(samples, ends, strict=True)
    )
    return replace(
        report,
        worst=None,
        options=replace(report.options, dtype="float64"),
        counts=Counts(3, 0, 2, 3.0),
        samples=tuple(exact),
    )


def probability_targets() -> Report:
    """The target is probabilities of three classes; no sample has a label."""
    report = agreeing()
    samples = tuple(sample(row, None, (0.25, 0.75 - 1e-5, 1e-5)) for row in range(2))
    return replace(
        report,
        worst=None,
        input=replace(report.input, kind="probabilities", labels=replace(report.input.logits, path="soft.npy")),
        counts=Counts(2, 0, 3, 2.0),
        samples=samples,
    )


REPORTS = {
    make.__name__: make
    for make in (
        agreeing,
        confidently_wrong,
        unreduced,
        unreferenced,
        narrowed,
        vocabulary,
        disproved,
        unexplained,
        proved,
        not_a_number,
        undecided,
        streamed,
        double,
        probability_targets,
    )
}
