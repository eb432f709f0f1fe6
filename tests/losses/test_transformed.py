"""The loss of transformed logits: what is enclosed holds the value that Arb gives, from stored numbers alone."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from xentcli.losses import kernels
from xentcli.losses.kernels import check_kernels
from xentcli.losses.reference import enclose
from xentcli.losses.transformed import enclose_transformed, float64_radius, in_float64, moved
from xentcli.question.transform import Transform

TRANSFORMS = (
    Transform(temperature=0.7),
    Transform(temperature=1e-3),
    Transform(temperature=1e4),
    Transform(softcap=30.0),
    Transform(softcap=0.3),
    Transform(softcap=1e6),
    Transform(1.3, 50.0),
    Transform(0.01, 15.0),
)
NUMBERS = st.one_of(
    st.floats(-60, 60), st.floats(-1e5, 1e5), st.floats(-1e-5, 1e-5), st.sampled_from([0.0, 30.0, 31.0, 1e30, -1e30])
)


def exactly(number: float) -> arb:
    return arb(fmpq(*Fraction(number).as_integer_ratio()))


def transformed(logit: float, transform: Transform) -> arb:
    """y by Arb, of a finite logit or of an infinite one that is capped."""
    cap = None if transform.softcap is None else exactly(transform.softcap)
    if math.isinf(logit):
        return cap if logit > 0 else -cap
    y = exactly(logit) / exactly(transform.temperature or 1.0)
    return y if cap is None else cap * (y / cap).tanh()


def true_loss(logits: list[float], label: int, transform: Transform) -> arb:
    """log Σ exp(y_c − y_label) by Arb, without the label's own 1 in the sum."""
    ctx.prec = 4000
    bent = [transformed(logit, transform) for logit in logits if logit > -math.inf or transform.softcap]
    own = transformed(logits[label], transform)
    others = list(bent)
    others.remove(next(each for each in bent if (each - own).contains(0)))
    return sum(((each - own).exp() for each in others), arb(0)).log1p()


def holds(lower: Fraction, upper: Fraction, truth: arb) -> bool:
    ends = [arb(fmpq(end.numerator, end.denominator)) for end in (lower, upper)]
    return not bool(truth < ends[0]) and not bool(truth > ends[1])


@settings(max_examples=60)
@given(st.lists(NUMBERS, min_size=2, max_size=5), st.sampled_from(TRANSFORMS), st.sampled_from(["flint", "integers"]))
def test_the_exact_enclosure_holds_the_loss(logits, transform, backend):
    """Else certified digits are of another loss; narrow, else there are none."""
    truth = true_loss(logits, 0, transform)
    lower, upper = enclose_transformed(transform, logits, {0: Fraction(1)}, 64, backend)
    assert holds(lower, upper, truth)
    if truth > arb(2) ** -300:
        assert upper - lower <= Fraction(1, 2**63) * upper


def test_a_saturated_cap_leaves_gaps_that_are_told():
    """Two logits beyond the cap differ by less than any float64, and by more than nothing."""
    lower, upper = enclose_transformed(Transform(softcap=1.0), [40.0, 50.0], {0: Fraction(1), 1: Fraction(-1)}, 64)
    assert 0 < lower <= upper
    assert holds(lower, upper, transformed(50.0, Transform(softcap=1.0)) - transformed(40.0, Transform(softcap=1.0)))


def test_a_cap_makes_a_masked_class_an_ordinary_one():
    """The cap of −inf is −cap, in torch as well; a temperature leaves it masked."""
    truth = true_loss([0.0, -math.inf], 0, Transform(softcap=2.0))
    assert holds(*enclose_transformed(Transform(softcap=2.0), [0.0, -math.inf], {0: Fraction(1)}, 64), truth)
    assert enclose_transformed(Transform(temperature=2.0), [0.0, -math.inf], {0: Fraction(1)}, 64) == (0, 0)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_quick_enclosure_holds_the_loss(transform):
    """Else a true value is printed that is not; Arb has it from the definition, labels at the top and elsewhere."""
    generator = np.random.default_rng(1)
    for scale in (1e-4, 1.0, 20.0, 1e3):
        logits = scale * generator.normal(size=(12, 6))
        logits[:4, 0] += 40 * scale
        bent = in_float64(transform, logits)
        rows = enclose(bent, np.zeros(12, np.int64))
        is_top = logits[:, 0] == logits.max(axis=1)
        radius = rows.radius + moved(rows, float64_radius(np.abs(bent).max(axis=1)), is_top)
        for row, loss, reach in zip(logits.tolist(), rows.loss.tolist(), radius.tolist(), strict=True):
            truth = true_loss(row, 0, transform)
            assert holds(Fraction(loss) - Fraction(reach), Fraction(loss) + Fraction(reach), truth)
            assert reach < 1e-11 * max(1.0, loss, np.abs(bent).max())


def test_a_confident_row_keeps_its_digits():
    """The error of its logits moves a small loss in proportion, as the label has the greatest of them exactly."""
    transform = Transform(temperature=0.5)
    logits = np.array([[50.0, 0.0, 1.0]])
    rows = enclose(in_float64(transform, logits), np.array([0]))
    distance = moved(rows, float64_radius(np.array([100.0])), np.array([True]))
    assert 0.0 < distance[0] < 1e-12 * rows.loss[0]


def test_a_coarse_tanh_is_refused(monkeypatch):
    """Else capped logits are certified with more digits than they have."""
    honest = np.tanh

    def coarse(arguments):
        return honest(arguments).astype(np.float32).astype(np.float64)

    coarse.__name__ = "tanh"
    monkeypatch.setattr(kernels.np, "tanh", coarse)
    check_kernels()
    with pytest.raises(kernels.CertificateError, match="float64 tanh is less exact"):
        check_kernels(caps=True)
