"""What is known of transformed logits' losses, next to those of the logits that the paths have in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.bounds.transformed import logit_radius, may_overflow
from xentcli.losses.transformed import float64_radius, in_float64, moved
from xentcli.losses.truth import terms_of
from xentcli.losses.z_loss import LogSums

if TYPE_CHECKING:
    from xentcli.losses.class_sums import Floats
    from xentcli.losses.reference import Bools, Rows
    from xentcli.measuring.case import Case


@dataclass(frozen=True)
class Transformed:
    """All arrays are [rows].

    loss, radius   the true losses, of the stored logits after the transform
    moved          how far the losses of the paths' logits may be from them, by the transform's roundings
    free           rows whose transformed logits the paths' format may not hold
    beyond         rows whose transformed logits float64 does not hold: nothing is known of them
    log_sums       logsumexp of the stored logits after the transform
    """

    loss: Floats
    radius: Floats
    moved: Floats
    free: Bools
    beyond: Bools
    log_sums: LogSums

    @classmethod
    def of(cls, case: Case, rows: Rows) -> Transformed:
        """Given the statistics of the losses of the paths' own logits."""
        block, transform = case.block, case.block.transform
        assert transform is not None
        bare = block.untransformed
        stored = bare.logits.detach().double().cpu()
        with np.errstate(all="ignore"):
            numbers = stored.numpy()
            bent = torch.from_numpy(in_float64(transform, numbers))
            terms = terms_of(replace(bare, logits=bent, stored=None), case.options)
            true = terms.enclose()
            scaled = greatest_of(stored / (transform.temperature or 1.0), stored.isfinite(), block.class_dim)
            greatest = greatest_of(bent, bent.isfinite(), block.class_dim)
            is_top = _is_top(stored, case)
            own, reach = float64_radius(greatest), logit_radius(case.model, transform, greatest)
            radius = true.radius + moved(true, own, is_top)
            distance = moved(rows, reach, is_top)
        beyond = np.isinf(scaled) & ~rows.ignored
        return cls(
            loss=np.where(beyond, 0.0, true.loss),
            radius=np.where(beyond, np.inf, np.where(np.isfinite(true.loss), radius, true.radius)),
            moved=np.where(np.isfinite(true.loss), distance, 0.0),
            free=may_overflow(case.model, transform, scaled) & ~rows.ignored,
            beyond=beyond,
            log_sums=LogSums.of(true, terms.logits).off_by(own, reach),
        )

    def known(self, rows: Rows) -> Rows:
        """The statistics of the paths' logits with the losses of the true ones."""
        return replace(rows, loss=self.loss, radius=self.radius)


def greatest_of(values: torch.Tensor, counted: torch.Tensor, dim: int) -> Floats:
    """The greatest absolute value of those that count, 0 without any; [rows]."""
    sizes: Floats = values.abs().where(counted, 0.0).amax(dim).reshape(-1).numpy()
    return sizes


def _is_top(stored: torch.Tensor, case: Case) -> Bools:
    """Rows whose label has the greatest of the stored logits; none without labels.  [rows]."""
    block = case.block
    if not block.has_labels:
        return np.zeros(block.samples, bool)
    labels = block.target.masked_fill(~case.counted, 0).cpu().unsqueeze(block.class_dim)
    own = stored.gather(block.class_dim, labels).squeeze(block.class_dim)
    top: Bools = (own == stored.amax(block.class_dim)).reshape(-1).numpy()
    return top
