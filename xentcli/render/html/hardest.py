"""The rows with the highest losses, each of which unfolds to the steps that lead to its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid, class_label
from xentcli.render.html.document import Section, Table, Unfold
from xentcli.render.metrics import DOUBTFUL
from xentcli.render.numbers import brief, probability
from xentcli.render.wording import row_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.pictures import ClassSteps
    from xentcli.records.report import Report, WorstLoss
    from xentcli.render.wording import Entry

DIGITS = 5


def hardest(report: Report) -> Section:
    """The rows, the hardest first, and the steps of each."""
    found = report.worst or ()
    lead = "The highest losses, −log p of the label; each opens to the steps that lead to it." if found else ""
    return Section("Hardest rows", lead, details=tuple(_row(report, each) for each in found))


def _row(report: Report, each: WorstLoss) -> Unfold:
    says = f"the model says {class_label(report, each.top)} with {probability(each.confidence)}"
    said = "which is what the model says" if each.top == each.label else says
    doubt = "; mislabelled?" if each.margin <= DOUBTFUL else ""
    label = f"label {class_label(report, each.label)} has {probability(each.probability)}, {said}"
    summary = f"Row {row_name(report, each.row)}: {brief(each.loss, DIGITS)} nats; {label}{doubt}"
    return Unfold(summary, tuple(_steps(each)), _classes(report, each))


def _steps(each: WorstLoss) -> Iterator[Entry]:
    """The numbers of the label's way, where they are known."""
    own = next((one for one in each.classes or () if one.index == each.label), None)
    if own is None or each.sum is None:
        return
    logit, shifted, exponential, chance = (brief(value, DIGITS) for value in _numbers(own))
    total = brief(each.sum, DIGITS)
    yield "1 logit", f"x = {logit}"
    yield "2 shift", f"s = x − max x = {shifted}: p stays as it is, and exp cannot overflow"
    yield "3 exponential", f"e = exp(s) = {exponential}"
    yield "4 sum", f"S = {total}, of the e of all classes"
    yield "5 probability", f"p = e / S = {exponential} / {total} = {chance}"
    yield "6 loss", f"−log p = {brief(each.loss, DIGITS)} nats"


def _classes(report: Report, each: WorstLoss) -> tuple[Table, ...]:
    rows = tuple(_class_row(report, each, one) for one in each.classes or ())
    head = ("class", "1 logit", "2 shift", "3 exponential", "5 probability", "")
    return Table.of(Grid(head, rows), f"The {len(rows)} classes that matter most", ("class", ""))


def _class_row(report: Report, each: WorstLoss, one: ClassSteps) -> tuple[str, ...]:
    marks = [word for word, index in (("label", each.label), ("model says", each.top)) if index == one.index]
    return class_label(report, one.index), *(brief(value, DIGITS) for value in _numbers(one)), ", ".join(marks)


def _numbers(one: ClassSteps) -> tuple[float, float, float, float]:
    return one.logit, one.shifted, one.exponential, one.probability
