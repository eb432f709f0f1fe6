"""What a bound is about (a path in a format, a form of the loss) and what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from xentcli.numbers.precision import PRECISIONS, Precision

if TYPE_CHECKING:
    from xentcli.losses.reference import Rows
    from xentcli.numbers.given import Form

Kernels = Literal["cpu", "cuda"]  # of torch, whose roundings are known
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KERNEL = 4.0  # exp and log of the paths err by at most this many units of roundoff (2 ulp)
TWICE_ROUNDED = 0.75  # of the least subnormal number: what CUDA's exp errs by, beside KERNEL, at the most
OUTWARD = 1.0 + 2.0**-30  # covers the float64 evaluation of a bound, and statistics that are themselves rounded
LN2 = math.log(2.0)
HUGE = 2.0**1000  # from here on float64 may not hold what the bounds of float64 are made of

THREADS = 1024  # of a block on a CUDA device that adds up a row, or the labels' losses
BLOCK_DEPTH = 96  # that its threads' partial sums, and what does not fill a vector, add to the height at the most


@dataclass(frozen=True)
class PathModel:
    """What is assumed of the kernels that compute a path.

    precision  the format of the logits, t; the arithmetic of its kernels, a, follows from it
    kernel     "last": the class axis is the last one; "inner": it has others behind it
    height     of the summation over the classes: "lanes" for vectors of partial sums, "threads" for those of a block
               on a CUDA device, "any" for every order
    lanes      float32 numbers in a vector; half as many of float64
    flush      the processor may flush subnormal results to zero
    shares     the format of target probabilities, where it is another than the logits'
    terms      the format of their products with log p, which torch promotes, where it is another
    spread     λ of random rounding, see `bounds.probable`; 0 for what is proven
    device     whose kernels they are: those for CUDA keep every intermediate of a softmax in the arithmetic
    given      what the numbers are: of log-probabilities and probabilities λ and T are 0, and d_c is −log p_c
    """

    precision: Precision
    kernel: Literal["last", "inner"] = "last"
    height: Literal["lanes", "threads", "any"] = "any"
    lanes: int = 16
    flush: bool = False
    shares: Precision | None = None
    terms: Precision | None = None
    spread: float = 0.0
    device: Kernels = "cpu"
    given: Form = "logits"

    @property
    def of_shares(self) -> PathModel:
        """The same for what is done to target probabilities alone."""
        return self if self.shares is None else replace(self, precision=self.shares)

    @property
    def of_terms(self) -> PathModel:
        """The same for products of target probabilities with log p, and their sum."""
        return self if self.terms is None else replace(self, precision=self.terms)

    @property
    def arithmetic(self) -> Precision:
        return PRECISIONS[self.precision.arithmetic]

    @property
    def unit(self) -> float:
        """u_a, the unit roundoff of the arithmetic."""
        return self.arithmetic.unit_roundoff

    @property
    def storage_unit(self) -> float:
        """u_t where storing rounds, as in 16 bits; 0 where the arithmetic is the format itself."""
        return self.precision.unit_roundoff if self.precision.is_half else 0.0

    @property
    def storage_error(self) -> float:
        """Greatest absolute error of storing a subnormal: η_t/2, and 0 where storing does not round."""
        return self.precision.subnormal_error if self.precision.is_half else 0.0

    @property
    def subnormal_error(self) -> float:
        """Greatest absolute error of a result below the normal range: of its rounding, or all of it where flushed."""
        return max(self.precision.subnormal_error, self.arithmetic.smallest_normal if self.flush else 0.0)

    @property
    def stores_sum(self) -> bool:
        """Whether log_softmax keeps the sum of exponentials, and its logarithm, in 16 bits."""
        return self.precision.is_half and self.kernel == "last" and self.device == "cpu"

    @property
    def stores_exponentials(self) -> bool:
        """Whether softmax keeps exp(−d_c) in 16 bits, in the elements that fill no vector."""
        return self.precision.is_half and self.kernel == "inner" and self.device == "cpu"

    @property
    def adds_labels_atomically(self) -> bool:
        """Whether nll_loss adds sums of blocks in the format itself, in any order."""
        return self.device == "cuda" and self.kernel == "inner"

    @property
    def stores_label_quotients(self) -> bool:
        """Whether the mean of labels' losses is stored and neither their sum nor their number is."""
        return self.device == "cuda" and self.kernel == "last"

    @property
    def log_bottom(self) -> float:
        """ln of the greatest absolute error of a subnormal exponential or quotient, in the arithmetic.

        Of all of it where it is flushed, else of half of η_a; CUDA's exp rounds twice there: of ¾ η_a.
        """
        if self.flush:
            return math.log(self.arithmetic.smallest_normal)
        return self.arithmetic.least_exponent * LN2 + math.log(TWICE_ROUNDED if self.device == "cuda" else 0.5)

    @property
    def log_nothing(self) -> float:
        """ln of the exponential that certainly ends as 0: of η_t/2; on a CUDA device of what is left of η_a, too."""
        stored = (self.precision.least_exponent - 1) * LN2
        if self.device != "cuda":
            return stored
        return min(stored, self.arithmetic.least_exponent * LN2 + math.log(1.0 - TWICE_ROUNDED))

    @property
    def overflow(self) -> float:
        """From this magnitude on, storing gives infinity (float64 itself in the case of float64)."""
        return math.inf if self.precision.name == "float64" else float(self.precision.overflow)

    def summation_height(self, classes: int) -> float:
        """Additions that one addend of the sum of exponentials passes through, at the most; or λ·√ of them."""
        lanes = self.lanes // 2 if self.arithmetic.name == "float64" else self.lanes
        if self.height == "threads":
            return min(classes - 1, -(-classes // THREADS) + BLOCK_DEPTH)
        if self.height == "any" or self.kernel == "inner" or classes < lanes:
            return classes - 1
        height = min(classes - 1, -(-classes // lanes) + 2 * lanes)
        return min(height, self.spread * math.sqrt(height)) if self.spread else height

    def class_sum_height(self, classes: int) -> int:
        """The same of torch.sum over the classes; its order on a CUDA device depends on the number of rows."""
        return tree_height(classes) if self.device == "cpu" else max(classes - 1, 0)

    def total_height(self, values: int) -> int:
        """The same of torch.sum over all values: on a CUDA device 256 of a thread at the most, in blocks of threads."""
        return tree_height(values) if self.device == "cpu" else min(max(values - 1, 0), 512 + (values >> 16))


@dataclass(frozen=True, eq=False)
class LossForm:
    """Which loss: of labels or of target probabilities, weighted, smoothed."""

    probabilities: bool = False
    weight: Floats | None = None  # [classes]
    smoothing: float = 0.0
    target_peak: float = 0.0  # the greatest probability of a target that is weighted, smoothed or not
    binary: bool = False  # of one logit a sample, whose mean is over the samples, whatever their weights
    z_loss: float = 0.0  # Z of Z·logsumexp², which is added to each

    @property
    def is_plain(self) -> bool:
        """Whether the loss is just the label's −log p."""
        return not self.probabilities and self.weight is None and not self.smoothing

    @property
    def is_added_up(self) -> bool:
        """Whether nll_loss alone adds up the losses: of labels, weighted or not."""
        return not (self.probabilities or self.smoothing or self.binary or self.z_loss)

    @property
    def is_class_sum(self) -> bool:
        """Whether every class contributes a term of its own."""
        return self.probabilities or self.smoothing > 0.0

    def is_beyond(self, precision: Precision, rows: Rows) -> Bools:
        """Rows whose terms come near to the end of float64 in a path that computes in float64; [rows]."""
        if precision.arithmetic != "float64":
            return np.zeros(len(rows.loss), bool)
        greatest = np.maximum(rows.gap, rows.spread)
        factor = 1.0 if self.weight is None else max(1.0, float(np.abs(self.weight).max()))
        near: Bools = ~((greatest + rows.magnitude) * factor * max(1.0, self.target_peak) < HUGE)
        return near

    def weight_total(self, classes: int) -> float:
        """Σ_c |w_c|, with weights of 1 where there are none."""
        return float(classes if self.weight is None else np.abs(self.weight).sum())


@dataclass(frozen=True)
class Bound:
    """What a path may return for each row, next to the true loss L; arrays are [rows].

    below, above   a finite value lies in [L − below, L + above]; `above` is negative where the greatest value that
                   the path can return at all lies below L
    underflow      the value may be infinite because a probability is not representable
    overflow       the value may be infinite, or NaN, because an intermediate is beyond the format's range
    nan            an infinity explained so may also be negative or end as NaN (zero times infinity, inf − inf)
    never_finite   a finite value is wrong
    magnitude      greatest sum of the absolute values of the terms: what the error of a reduction scales with
    """

    below: Floats
    above: Floats
    underflow: Bools
    overflow: Bools
    nan: Bools
    never_finite: Bools
    magnitude: Floats

    def free(self, rows: Bools) -> Bound:
        """Anything is possible in these rows, of which no more can be told."""
        if not rows.any():
            return self
        return Bound(
            below=np.where(rows, np.inf, self.below),
            above=np.where(rows, np.inf, self.above),
            underflow=self.underflow,
            overflow=self.overflow | rows,
            nan=self.nan | rows,
            never_finite=self.never_finite & ~rows,
            magnitude=np.where(rows, np.inf, self.magnitude),
        )

    def without(self, rows: Bools) -> Bound:
        """No error and no infinity for the rows that do not count."""
        if not rows.any():
            return self
        return Bound(**{name: np.where(rows, np.zeros((), array.dtype), array) for name, array in vars(self).items()})

    @property
    def allowed(self) -> Floats:
        """The greatest error allowed to a finite value, on either side."""
        return np.maximum(self.below, self.above)


def gamma(height: float, unit: float) -> float:
    """Relative error of an addend after `height` additions: h·u/(1 − h·u); infinite once that proves nothing."""
    share = height * unit
    return share / (1.0 - share) if share < 0.5 else math.inf


def tree_height(values: int) -> int:
    """Additions that one value passes through in torch.sum: four levels of blocks, on vectors of partial sums."""
    power = max(4, ceil_log2(values) // 4)
    return min(max(values - 1, 0), 12 * (1 << power) + 64)


def ceil_log2(count: int) -> int:
    return max(count - 1, 0).bit_length()
