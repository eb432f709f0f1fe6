"""What is known of two sets of logits: each divergence of a row is a value and a radius."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Enclosed:
    """The true values lie in value ± radius; [rows].  An infinite radius says that nothing is known."""

    value: Floats
    radius: Floats

    @property
    def lower(self) -> Floats:
        """Lower ends, rounded outwards."""
        return np.where(self.radius > 0.0, np.nextafter(self.value - self.radius, -np.inf), self.value)

    @property
    def upper(self) -> Floats:
        """Upper ends, rounded outwards."""
        return np.where(self.radius > 0.0, np.nextafter(self.value + self.radius, np.inf), self.value)

    def fill(self, chosen: Bools, rows: Enclosed) -> None:
        """Take these for the chosen rows, in place."""
        self.value[chosen], self.radius[chosen] = rows.value, rows.radius


@dataclass(frozen=True)
class Divergences:
    """What two sets of logits differ by in each row; all arrays are [rows].

    kl          KL(p‖q) in nats, p the base's softmax; inf where the other side masks a class that the base does not
    kl_reverse  KL(q‖p)
    js          Jensen-Shannon divergence, in nats: at most ln 2
    tv          total variation, 0 to 1
    entropy_base, entropy_other   in nats
    loss_base, loss_other         −log of the label's probability, that of class 0 without labels
    loss_difference               the other's loss less the base's
    delta_p     the label's probability in the other less that in the base
    chance_base, chance_other     the label's probability
    confidence_base               the greatest probability
    greatest    max |y − x|
    squares     Σ (y − x)² over the classes that neither side masks; so many are `counted`
    sum_base, sum_steps, norm_base, cross   Σ x, Σ (y − x), Σ x² and Σ x (y − x) over these
    same        bool: rows whose logits are equal, or differ by one constant, exactly

    NaN where a row has NaN or +inf, or masks every class.
    """

    kl: Enclosed
    kl_reverse: Enclosed
    js: Enclosed
    tv: Enclosed
    entropy_base: Enclosed
    entropy_other: Enclosed
    loss_base: Enclosed
    loss_other: Enclosed
    loss_difference: Enclosed
    delta_p: Enclosed
    chance_base: Floats
    chance_other: Floats
    confidence_base: Floats
    greatest: Floats
    squares: Floats
    sum_base: Floats
    sum_steps: Floats
    norm_base: Floats
    cross: Floats
    counted: Floats
    same: Bools

    def fill(self, chosen: Bools, rows: Divergences) -> None:
        """Take these for the chosen rows, in place."""
        for name, values in vars(self).items():
            found = getattr(rows, name)
            if isinstance(values, Enclosed):
                values.fill(chosen, found)
            else:
                values[chosen] = found


def joined(parts: list[Divergences]) -> Divergences:
    """The rows of one after those of the other."""
    if len(parts) == 1:
        return parts[0]
    whole: dict[str, Any] = {}
    for each in fields(Divergences):
        values = [getattr(part, each.name) for part in parts]
        if isinstance(values[0], Enclosed):
            whole[each.name] = Enclosed(
                np.concatenate([value.value for value in values]), np.concatenate([value.radius for value in values])
            )
        else:
            whole[each.name] = np.concatenate(values)
    return Divergences(**whole)
