"""Pictures of one line: each sign is as high as its number, in every encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xentcli
from xentcli.render.page import Page
from xentcli.render.sparks import NOTHING, SIGNS, pictures, spark
from xentcli.render.table import render


@given(st.lists(st.one_of(st.none(), st.integers(0, 1000)), min_size=1), st.booleans())
def test_a_higher_number_has_no_lower_sign(values: list[int | None], plain: bool) -> None:
    """The picture shows a peak where there is none."""
    line = spark(values, max(filter(None, values), default=1), plain=plain)
    assert len(line) == len(values)
    heights = [(value, SIGNS[plain].index(sign)) for value, sign in zip(values, line, strict=True) if value is not None]
    assert heights == sorted(heights, key=lambda each: each[0]) or all(
        one[1] <= other[1] for one in heights for other in heights if one[0] <= other[0]
    )
    assert all(sign == NOTHING[plain] for value, sign in zip(values, line, strict=True) if value is None)


def test_the_highest_has_the_highest_sign() -> None:
    """Everything is low."""
    assert spark([0, 4, 8, None], 8, plain=False) == "▁▅█·"
    assert spark([0, 4, 8, None], 8, plain=True) == "_=#'"


@pytest.mark.parametrize("plain", [True, False])
def test_the_pictures_of_a_report(plain: bool) -> None:
    """Each row stands in its bin, of numpy's histogram, and only with --metrics."""
    numbers = np.random.default_rng(4)
    logits, labels = numbers.normal(0, 4, (900, 6)), numbers.integers(0, 6, 900)
    report = xentcli.compute(logits, labels, metrics=True)
    assert report.pictures is not None
    said = dict(pictures(report.pictures, plain=plain))
    line = said["losses"].split()[1]
    bins = report.pictures.histogram.bins
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(900), labels]
    counts, _ = np.histogram(losses, [bins[0].lower, *(each.upper for each in bins)])
    assert len(line) == len(counts)
    assert line.index(SIGNS[plain][-1]) == int(counts.argmax())
    assert said["losses"].startswith("5.6e-") or float(said["losses"].split()[0]) == pytest.approx(
        bins[0].lower, rel=0.1
    )
    text = "".join(render(report, Page(80, color=False, plain=plain)))
    assert said["reliability"][:19] in text
    assert text.isascii() or not plain
    assert not list(pictures(xentcli.compute(logits, labels).pictures, plain=plain))
