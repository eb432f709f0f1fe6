"""The rows with the highest losses, each of which unfolds to the steps that lead to its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.answer import hard
from xentcli.render.cells import Grid, class_label
from xentcli.render.html.document import Section, Table, Unfold
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.pictures import ClassSteps
    from xentcli.records.report import Report, WorstLoss
    from xentcli.render.wording import Entry

DIGITS = 5


def hardest(report: Report, explaining: str) -> Section:
    """The rows, the hardest first, and the steps of each.

    explaining  the command that explains a row, but for `--row`; empty where there is none
    """
    found = report.worst or ()
    lead = "The highest losses, −log p of the label; each opens to the steps that lead to it." if found else ""
    return Section("Hardest rows", lead, details=tuple(_row(report, each, explaining) for each in found))


def _row(report: Report, each: WorstLoss, explaining: str) -> Unfold:
    see = [("see", f"{explaining} --row {each.row}")] if explaining else []
    said = hard(report, each)
    return Unfold(f"{said[0].upper()}{said[1:]}", (*_steps(each), *see), _classes(report, each))


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
