"""The metrics of parts and of groups of the rows in a report, from what was kept of each row."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import without_secrets
from xentcli.judging.grouped import by_groups, parts_by
from xentcli.measuring.each_row import kept_of
from xentcli.question.grouping import ENTRIES
from xentcli.records.breakdown import Grouped
from xentcli.records.metrics import Metrics
from xentcli.running.grouping import Layout, group_parts, groups_of, ids_of, parts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Measured
    from xentcli.question.grouping import Grouping
    from xentcli.question.policy import Policy
    from xentcli.records.breakdown import LossPart
    from xentcli.records.report import Report
    from xentcli.running.reporting import About

    Integers = NDArray[np.int64]

WHOLE = frozenset({"row", "label"})  # columns of whole numbers


def layout_of(about: About, policy: Policy) -> Layout | None:
    """How the rows lie that groups and parts are made of; None where nobody asks.

    Errors: InputError for a file of groups that does not fit, UsageError for rows without such parts; both are told
    before anything is computed.
    """
    if not policy.keeps_scores:
        return None
    grouping = policy.grouping or ENTRIES
    ids = ids_of(grouping.path, about.samples) if grouping.path else None
    layout = Layout(about.logits, about.options.class_axis, about.class_names or (), has_labels=True, ids=ids)
    for by in policy.by:
        parts_of(by, layout, _nothing, grouping)
    group_parts(layout, _nothing("row"), grouping)
    return layout


def _nothing(_name: str) -> Integers:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Kept:
    """What was kept of each row that counts, and which rows belong together."""

    measured: Measured
    layout: Layout | None
    policy: Policy

    def column(self, name: str) -> NDArray[Any]:
        """One of `predictions.COLUMNS`, [rows]."""
        found = kept_of(self.measured.ordered, name)
        return found.astype(np.int64) if name in WHOLE else found

    @cached_property
    def groups(self) -> Integers | None:
        """The group of each row; None where rows stand alone, or nobody asks."""
        return None if self.layout is None else groups_of(self.layout, self.column("row"), self._grouping)

    @property
    def _grouping(self) -> Grouping:
        return self.policy.grouping or ENTRIES

    def told(self, report: Report) -> Report:
        """The report with the errors of groups, and with the metrics of each part."""
        groups, known = self.groups, report.metrics
        if groups is not None and groups.size:
            known = None if known is None else Metrics(by_groups(known, self.column, groups))
            grouped = Grouped(without_secrets(str(self._grouping)), int(groups.max()) + 1)
            report = replace(report, metrics=known, grouped=grouped)
        return replace(report, groups=self._parts() or None)

    def _parts(self) -> dict[str, tuple[LossPart, ...]]:
        if self.layout is None:
            return {}
        known = self.measured.predictions
        radius = math.inf if known is None else known.loss_radius
        found = {by: parts_of(by, self.layout, self.column, self._grouping) for by in self.policy.by}
        return {
            str(by): parts_by(parts.names, parts.of_row, self.column, self.groups, radius)
            for by, parts in found.items()
        }
