"""The gradient with respect to the logits to 60 digits and more, for small cases and for the corpus."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.truth import exact_rows
from xentcli.measuring.case import Case as Samples
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.losses.digits import Coefficients

CONTEXT = Context(prec=80, Emin=MIN_EMIN, Emax=MAX_EMAX)  # Decimal's exp is correctly rounded


def precise_rows(
    case: Case, inputs: Inputs, chosen: NDArray[np.bool_] | None = None
) -> Iterator[tuple[int, list[Decimal]]]:
    """The gradient of each sample that counts and whose logits are numbers, of all or of the chosen ones."""
    scales = _scales(case, inputs)
    for row, (logits, coefficients) in exact_rows(inputs.block, case.options, chosen):
        if max(logits) < np.inf and max(logits) > -np.inf and not any(np.isnan(logits)):
            yield row, _slopes(logits, coefficients, scales[row if len(scales) > 1 else 0])


def _slopes(logits: Sequence[float], coefficients: Coefficients, scale: Fraction) -> list[Decimal]:
    """s·((Q − a_c)·p_c − a_c·(1 − p_c)): nothing cancels next to a plain label."""
    exact = [_coefficient(coefficients, index) for index in range(len(logits))]
    total = sum(coefficients.values() if isinstance(coefficients, Mapping) else coefficients, Fraction(0))
    masses, others, whole = _masses(logits)
    factor = CONTEXT.divide(_decimal(scale), whole)
    return [
        CONTEXT.multiply(factor, _difference(_decimal(total - own), mass, _decimal(own), rest))
        for own, mass, rest in zip(exact, masses, others, strict=True)
    ]


def _difference(left: Decimal, mass: Decimal, right: Decimal, rest: Decimal) -> Decimal:
    return CONTEXT.subtract(CONTEXT.multiply(left, mass), CONTEXT.multiply(right, rest))


def _masses(logits: Sequence[float]) -> tuple[list[Decimal], list[Decimal], Decimal]:
    """exp(x_c − max x), what is next to each in their sum, and the sum."""
    top = max(range(len(logits)), key=logits.__getitem__)
    greatest = Decimal(logits[top])
    masses = [CONTEXT.exp(CONTEXT.subtract(Decimal(each), greatest)) for each in logits]
    excess = Decimal(0)
    for index, mass in enumerate(masses):
        excess = excess if index == top else CONTEXT.add(excess, mass)
    whole = CONTEXT.add(excess, Decimal(1))
    others = [excess if index == top else CONTEXT.subtract(whole, mass) for index, mass in enumerate(masses)]
    return masses, others, whole


def _coefficient(coefficients: Coefficients, index: int) -> Fraction:
    """a_c; a mapping has those that are not 0."""
    return coefficients.get(index, Fraction(0)) if isinstance(coefficients, Mapping) else coefficients[index]


def _scales(case: Case, inputs: Inputs) -> list[Fraction]:
    """s of each sample, or one for all."""
    upstream = [1.0] if inputs.upstream is None else floats(inputs.upstream).tolist()
    samples = Samples(inputs.block, case.options)
    denominator = samples.denominator * (case.times(inputs) if case.reduction == "mean" else 1)
    return [Fraction(each) / denominator if denominator else Fraction(0) for each in upstream]


def _decimal(number: Fraction) -> Decimal:
    return CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))
