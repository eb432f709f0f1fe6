"""Bits per byte: the loss in bits over the bytes of the text, which tokens do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.judging.scoring import LN2, QUOTIENT, kept_of
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.statistic import Statistic
from xentcli.sources.files import count
from xentcli.sources.open import open_array
from xentcli.statistics.means import ratio_estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Measured

    Floats = NDArray[np.float64]


def bits_per_byte(measured: Measured, source: int | str, groups: NDArray[np.int64] | None = None) -> Statistic:
    """Σ −log₂ p over ΣB of the labels that count, with the standard error of a ratio where rows have their own bytes.

    groups  the group of each row, by which the standard error is quoted; None where rows stand alone
    source  the bytes of the text, or a file with the bytes of each row; those of ignored rows do not count
    Errors: InputError for a file that does not fit, negative or fractional bytes, and no bytes at all.
    """
    losses = kept_of(measured.ordered, "loss") / LN2
    radius = 0.0 if measured.predictions is None else measured.predictions.loss_radius / LN2
    if isinstance(source, int):
        return _enclosed(ExactSum.of(losses).value() / source, radius * len(losses) / source)
    sizes = _sizes(source, measured.samples)[kept_of(measured.ordered, "row").astype(np.int64)]
    total = float(sizes.sum())
    if not total:
        raise InputError("the labels that count have no bytes", at=source, found="0 bytes", expected="1 or more")
    estimate = ratio_estimate(losses, sizes, groups)
    found = _enclosed(estimate.value, radius * len(losses) / total)
    if np.isnan(estimate.quoted):
        return found
    ends = estimate.lower95, estimate.upper95
    return Statistic(found.value, found.lower, found.upper, estimate.se, estimate.group_se, interval=ends)


def _enclosed(value: float, radius: float) -> Statistic:
    slack = radius + 4.0 * QUOTIENT * abs(value)
    return Statistic(value, value - slack, value + slack)


def _sizes(path: str, samples: int) -> Floats:
    """The bytes of each row."""
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
