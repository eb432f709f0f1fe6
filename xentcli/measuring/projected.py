"""What is known of the losses of hidden states × head, next to those of the logits that the paths have in their place.

Each logit of a row is off by h at most: in float64 by γ_n(2⁻⁵³)·S, see `bounds.projected`, in the paths by as much in
their own format.  With T = Σ_{c≠y} exp(y_c − y_y) a label's −log p is log1p(T), and T is off by a factor e^{±2h}; so
that is off by min(2h, (e^{2h} − 1)·(−log p)), whichever class is the greatest.  A temperature divides h, and a cap
does not increase it, as the slope of tanh is at most 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.bounds.projected import beyond, float64_error, product_may_overflow, rounding_error
from xentcli.bounds.transformed import logit_radius, may_overflow
from xentcli.losses.transformed import float64_radius, in_float64, moved
from xentcli.losses.truth import terms_of
from xentcli.losses.z_loss import LogSums
from xentcli.measuring.transformed import Transformed, greatest_of

if TYPE_CHECKING:
    from xentcli.losses.class_sums import Floats
    from xentcli.losses.reference import Rows
    from xentcli.measuring.case import Case


def of_product(case: Case, rows: Rows) -> Transformed:
    """What is known of the true losses, given the statistics of the losses of the paths' own logits."""
    block, product, transform = case.block, case.block.product, case.block.transform
    assert product is not None
    logits, any_label = product.logits, np.full(block.samples, block.has_labels)
    with np.errstate(all="ignore"):
        own, greatest = float64_error(product), _greatest(product.logits)
        theirs = rounding_error(case.model, product, greatest)
        free = product_may_overflow(case.model, product, greatest, theirs)
        if transform is not None:
            slope = 1.0 / (transform.temperature or 1.0) * (1.0 + 2.0**-50)
            logits = torch.from_numpy(in_float64(transform, logits.numpy()))
            own, theirs, scaled = own * slope, theirs * slope, greatest * slope
            bent = _greatest(logits)
            free |= may_overflow(case.model, transform, scaled + theirs)
            theirs = theirs + logit_radius(case.model, transform, bent + theirs)
            own = own + float64_radius(bent)
        terms = terms_of(replace(block, logits=logits, stored=None, bare=None, product=None), case.options)
        true = terms.enclose()
        radius = true.radius + moved(true, own, any_label)
        distance = moved(rows, theirs, any_label)
    unknown = beyond(product) & ~rows.ignored
    is_number = np.isfinite(true.loss)
    return Transformed(
        loss=np.where(unknown, 0.0, true.loss),
        radius=np.where(unknown, np.inf, np.where(is_number, radius, true.radius)),
        moved=np.where(is_number, distance, 0.0),
        free=free & ~rows.ignored,
        beyond=unknown,
        log_sums=LogSums.of(true, terms.logits).off_by(own, theirs),
    )


def _greatest(logits: torch.Tensor) -> Floats:
    return greatest_of(logits, logits.isfinite(), 1)
