"""Bits per byte: the loss in bits over the bytes of the text, which tokens do not know."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.judging.scoring import LN2, QUOTIENT
from xentcli.measuring.each_row import kept_of
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.metrics import Metrics
from xentcli.records.statistic import Statistic
from xentcli.running.byteclaims import judged_bytes
from xentcli.sources.files import count
from xentcli.sources.open import open_array
from xentcli.statistics.means import ratio_estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Measured
    from xentcli.question.policy import Policy
    from xentcli.records.report import Report

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Text:
    """The losses of the labels that count, and the bytes that they stand for."""

    nats: Floats
    radius: float  # how far one of these may be off at most
    bytes: int  # of the labels that count, or of the text
    sizes: Floats | None = None  # of each of these rows, where rows have their own bytes
    all_bytes: int = 0  # those of ignored rows, too
    groups: NDArray[np.int64] | None = None  # of each row; None where rows stand alone

    @classmethod
    def of(
        cls, measured: Measured, source: int | str, sizes: Floats | None, groups: NDArray[np.int64] | None = None
    ) -> Text:
        """Of the bytes of the text, or of those of each row of the input; those of ignored rows do not count."""
        nats = kept_of(measured.ordered, "loss")
        radius = math.inf if measured.predictions is None else measured.predictions.loss_radius
        if sizes is None:
            return cls(nats, radius, int(source), all_bytes=int(source), groups=groups)
        own = sizes[kept_of(measured.ordered, "row").astype(np.int64)]
        return cls(nats, radius, int(own.sum()), own, int(sizes.sum()), groups)

    @property
    def bits(self) -> Floats:
        return self.nats / LN2

    def bits_per_byte(self) -> Statistic:
        """Σ −log₂ p over ΣB, with the standard error of a ratio where rows have their own bytes."""
        radius = self.radius / LN2 * len(self.nats) / self.bytes
        if self.sizes is None:
            return _enclosed(ExactSum.of(self.bits).value() / self.bytes, radius)
        estimate = ratio_estimate(self.bits, self.sizes, self.groups)
        found = _enclosed(estimate.value, radius)
        if np.isnan(estimate.quoted):
            return found
        ends = estimate.lower95, estimate.upper95
        return replace(found, se=estimate.se, group_se=estimate.group_se, interval=ends)


def with_bytes(report: Report, text: Text, policy: Policy) -> Report:
    """The report with bits per byte, and with what becomes of a claim about them; InputError where there are none."""
    if not text.bytes:
        at = str(policy.bytes)
        raise InputError("the labels that count have no bytes", at=at, found="0 bytes", expected="1 or more")
    found = text.bits_per_byte()
    report = replace(report, metrics=Metrics((report.metrics or {}) | {"bits_per_byte": found}))
    if policy.expect_bpb is None:
        return report
    return replace(report, byte_claim=judged_bytes(text, found, policy.expect_bpb, policy.tolerance))


def _enclosed(value: float, radius: float) -> Statistic:
    slack = radius + 4.0 * QUOTIENT * abs(value)
    return Statistic(value, value - slack, value + slack)


def sizes_of(path: str, samples: int) -> Floats:
    """The bytes of each row, of a file; InputError for one that does not fit, and negative or fractional bytes."""
    values = open_array(path, "labels").values.reshape(-1).astype(np.float64)
    if len(values) != samples:
        raise InputError(
            "the bytes do not fit the rows", at=path, found=count(len(values), "number"), expected=f"{samples:,}"
        )
    odd = np.flatnonzero(~((values >= 0.0) & (values == np.floor(values)) & (values < 2.0**53)))
    if odd.size:
        raise InputError(
            "a row has no whole number of bytes",
            at=f"{path}, row {odd[0]}",
            found=f"{values[odd[0]]:g}",
            expected="0, 1, 2, ...",
        )
    return values
