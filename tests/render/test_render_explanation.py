"""An explanation as text: it fits 80 columns, rounds nothing to 0 or 1, and says in words what the numbers mean."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import torch
from explained import explained, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from xentcli.explain.run import explain
from xentcli.render.curve import FARTHEST, GREATEST, HEIGHT, WIDTH, curve
from xentcli.render.explanation import as_tables
from xentcli.render.lesson import number, signed, significant
from xentcli.render.page import Page

PAGE = Page(80, color=False)
CONFIDENT_WRONG = ([[120.0, 0.0, -3.0]], [1])
PLAIN = explained([[0.0, 0.0]], [0])


def text(*arguments: object, **options: object) -> str:
    return as_tables(explained(*arguments, **options), PAGE)


@given(cases())
@settings(max_examples=60)
def test_everything_fits_80_columns(case: object) -> None:
    """A student's terminal has 80, and a table that wraps is no table."""
    problem = problem_of(case)
    if problem.samples:
        lines = as_tables(explain(problem, 0), PAGE).splitlines()
        assert max(map(len, lines)) <= 80
        assert not any(line != line.rstrip() for line in lines)


def test_color_only_where_the_page_has_it() -> None:
    """A pipe must not get escape codes, and a terminal shall see the verdict."""
    told = explained(*CONFIDENT_WRONG, dtype="float32")
    assert "\x1b" not in as_tables(told, PAGE)
    assert "\x1b[1;32mholds" in as_tables(told, Page(80, color=True))


def test_the_steps_stand_in_their_order_with_why() -> None:
    """The plan comes before the numbers, and both ways are in it."""
    lines = text(*CONFIDENT_WRONG, dtype="float32").splitlines()
    plan = lines[lines.index("The steps") + 3 :][:12]
    assert [line.split()[0] for line in plan] == ["1", "2", "3", "4", "manual", "5", "6", "7", "library", "5", "6", "7"]
    assert plan[9] == "5 log of the sum  log S                  S is between 1 and C: its log is tame"


def test_what_is_lost_is_said_to_be() -> None:
    """A number that became 0 is not "off by 5e-08 units": it is gone."""
    told = text(*CONFIDENT_WRONG, dtype="float32")
    assert "   *1        0     -120              0  lost              0  lost" in told
    assert "manual  step 3, exponentials, loses everything" in told


def test_the_errors_of_all_steps_stand_below_them() -> None:
    """The last line of the table is the error of the next one."""
    told = explained([[0.3, 0.7, -0.2]], [1], dtype="float32")
    line = next(line for line in as_tables(told, PAGE).splitlines() if line.startswith("all "))
    assert [abs(float(word)) for word in line.split()[1:]] == pytest.approx(
        [told.losses.manual.error, told.losses.library.error], rel=0.06
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "formula  p_c - y_c\n"),
        ({"weight": [1.0, 2.0, 3.0]}, "formula  w_y (p_c - y_c)\n"),
        ({"label_smoothing": 0.1}, "formula  Q p_c - a_c, where"),
    ],
)
def test_the_gradient_has_its_formula(options: dict[str, object], expected: str) -> None:
    """p - y is only the plain case."""
    assert expected in text([[0.3, 0.7, -0.2]], [1], **options)


@pytest.mark.parametrize(
    ("target", "options", "title"),
    [
        ([1], {}, "of -y_c log p_c"),
        ([[0.5, 0.25, 0.25]], {}, "of -q_c log p_c"),
        ([1], {"label_smoothing": 0.1}, "of -a_c log p_c"),
        ([[0.5, 0.25, 0.25]], {"weight": [1.0, 2.0, 3.0]}, "of -a_c log p_c"),
    ],
)
def test_the_class_sum_names_its_coefficients(target: object, options: dict[str, object], title: str) -> None:
    """The letters of the title are those of the columns."""
    told = text([[0.3, 0.7, -0.2]], target, **options)
    assert f"The same as a sum over all classes, {title}\n" in told
    assert (" a_c " in told) == ("a_c" in title)


def test_an_ignored_sample_has_no_paths_to_compare() -> None:
    """Where nothing counts there is nothing to explain but that."""
    told = text([[0.3, 0.7, -0.2]], [-100])
    assert "the label -100 is ignore_index" in told
    assert "by both paths, and what" not in told
    assert "gradient dL/dx_c" not in told
    assert "The curve" not in told


def test_nan_leaves_out_what_it_says_nothing_about() -> None:
    """Tables full of NaN are noise below the sentence that names the logit."""
    told = text([[0.0, math.nan, 1.0]], [0])
    assert "error: the logit of class 1 is nan" in told
    assert "The gradient" not in told
    assert "The same as a sum" not in told


def test_classes_left_out_are_counted() -> None:
    """A table of six rows must not look like all of a thousand classes."""
    told = text(torch.randn(1, 1000, generator=torch.Generator().manual_seed(3)), [3])
    assert "The 6 that matter most (994 left out), * is the label" in told


@given(st.floats(0.0, FARTHEST))
def test_the_curve_is_small_and_has_the_sample_on_it(surprisal: float) -> None:
    """A picture that scrolls or lacks its point shows nothing."""
    rows = curve(surprisal)
    assert len(rows) <= HEIGHT
    assert max(map(len, rows)) <= WIDTH
    assert sum(row.count("X") for row in rows) == 1
    assert all(row.isascii() for row in rows)


@given(st.floats(0.0, FARTHEST))
def test_the_curve_falls(surprisal: float) -> None:
    """Less loss for more probability, in every column."""
    rows = [row[6:] for row in curve(surprisal)[:-2]]
    heights = [
        min(index for index, row in enumerate(rows) if row[column : column + 1] in {".", "X"})
        for column in range(WIDTH)
        if any(row[column : column + 1] in {".", "X"} for row in rows)
    ]
    assert heights == sorted(heights)


@pytest.mark.parametrize(("surprisal", "logarithmic"), [(GREATEST, False), (math.nextafter(GREATEST, 5.0), True)])
def test_small_probabilities_get_a_logarithmic_axis(surprisal: float, logarithmic: bool) -> None:
    """At the left edge of a linear chart every disaster looks the same."""
    assert ("logarithmic" in curve(surprisal)[-1]) == logarithmic


def test_a_sample_beyond_every_chart_is_said_to_be() -> None:
    """An axis down to 1e-5000 has no room for its own label."""
    assert "This sample is off every chart of -log p" in text([[0.0, 20000.0]], [0])


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value="-1e300", max_value="1e300"))
def test_significant_digits_are_right(exact: Decimal) -> None:
    """The number that is read is the number, to eight digits; only 0 is "0", and only 1 is "1"."""
    short = significant(str(exact))
    assert (short in {"0", "-0"}) == exact.is_zero()
    assert (short in {"1", "-1"}) == (abs(exact) == 1)
    if "+" not in short[1:].replace("e+", "") and not short.lstrip("-").startswith("1-"):
        assert abs(Decimal(short) - exact) <= abs(exact) * Decimal("5.1e-8")


@pytest.mark.parametrize(
    ("exact", "short"),
    [
        ("0.99999999999", "1-1.0e-11"),
        ("1.00000000002", "1+2.0e-11"),
        ("-0.99999999999", "-1-1.0e-11"),
        ("7.6676480737219996E-53", "7.6676481e-53"),
        ("inf", "inf"),
        (None, ""),
    ],
)
def test_numbers_beside_1_are_told_from_it(exact: str | None, short: str) -> None:
    """A probability of 1 - 1e-11 is not certainty."""
    assert significant(exact) == short


@pytest.mark.parametrize(
    ("nats", "shown"),
    [(None, ""), (0.0, "0"), (-0.0, "0"), (3e-8, "+3.0e-08"), (-2e-4, "-2.0e-04"), (math.inf, "+inf")],
)
def test_what_a_step_adds_has_its_sign(nats: float | None, shown: str) -> None:
    """Errors cancel, and the table shall show how."""
    assert signed(nats) == shown


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_of_float32_are_shown_whole_or_to_eight_digits(value: float) -> None:
    """A number that is typed in again must be the same, or visibly be a rounded one."""
    told = replace(PLAIN, options=replace(PLAIN.options, dtype="float32"))
    shown = number(told, value)
    if not shown.startswith(("1+", "1-", "-1+", "-1-")):
        is_whole = float(np.float32(shown)) == value  # the shortest text of a float32 is that very number
        assert is_whole or float(shown) == pytest.approx(value, rel=5e-8)
        assert (float(shown) == 0.0) == (value == 0.0)
