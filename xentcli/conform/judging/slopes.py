"""The true gradient of a case, enclosed, and how far each grade of computation may be from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.conform.judging import pieces, shares
from xentcli.measuring.case import Case as Samples
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    import torch

    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.conform.judging.certified import Certified, Floats


@dataclass(frozen=True, eq=False)
class CertifiedSlope:
    """The true gradient, and the allowances of the grades; [rows, classes], with respect to the weight [1, classes].

    value     float64 near to the truth; NaN in a sample that counts and whose logits are not numbers
    radius    the truth is within this of `value`
    allowed   grade -> greatest error
    """

    value: Floats
    radius: Floats
    allowed: dict[str, Floats]

    def repeated(self, rows: int) -> CertifiedSlope:
        """The same samples again and again, until there are so many."""
        shape = rows, self.value.shape[1]
        allowed = {grade: np.resize(each, shape) for grade, each in self.allowed.items()}
        return CertifiedSlope(np.resize(self.value, shape), np.resize(self.radius, shape), allowed)

    def laid_out(self, gradient: torch.Tensor, axis: int) -> Floats:
        """A gradient as this is, from an array with the classes on that axis."""
        classes_last = gradient if gradient.ndim < 2 else gradient.movedim(axis, -1)
        return floats(classes_last).reshape(self.value.shape)


def certify_slope(case: Case, inputs: Inputs, certified: Certified) -> CertifiedSlope:
    """The true gradient with respect to the array that the case asks about."""
    scale = _upstream(case, inputs)
    certify = KINDS.get(inputs.variable, shares.certify_shares)
    slope = CertifiedSlope(*certify(case, inputs, certified, scale))
    return slope.repeated(case.rows) if case.rows and inputs.variable != "weight" else slope


KINDS = {"logits": pieces.certify_logits}


def _upstream(case: Case, inputs: Inputs) -> Floats:
    """What the gradient of each sample's loss is multiplied by, over the denominator of a mean; two roundings."""
    upstream = np.ones(1) if inputs.upstream is None else floats(inputs.upstream)
    samples = Samples(inputs.block, case.options)
    denominator = float(samples.denominator) * (case.times(inputs) if case.reduction == "mean" else 1)
    return np.broadcast_to(upstream / denominator if denominator else np.zeros(1), (samples.block.samples,)).copy()
